"""`puna list`, `ps` and `--version` are over before anything heavy would be loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from puna.client import Endpoint

HEAVY = [
    "aiohttp",
    "asyncio",
    "fastapi",
    "orjson",
    "prompt_toolkit",
    "pydantic",
    "rich",
    "typer",
    "uvicorn",
    "xllamacpp",
]


@pytest.mark.parametrize("words", [["--version"], ["-v"], ["list"], ["ls", "tiny"], ["ps"], ["ps", "t"]])
def test_the_quick_commands_load_nothing_heavy(endpoint: Endpoint, words: list[str]) -> None:
    script = (
        f"import sys, puna.cli\nstatus = puna.cli.main({words!r})\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\nsys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={"OLLAMA_HOST": endpoint.url}, check=True
    )
    assert done.stderr.strip() == "[]"
    assert done.stdout


def test_the_program_can_be_started_as_a_module(endpoint: Endpoint) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "puna.cli", "show", "tiny"],
        capture_output=True,
        text=True,
        env={"OLLAMA_HOST": endpoint.url},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("  Model")
