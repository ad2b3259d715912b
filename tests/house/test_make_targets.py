"""The commands that documents promise are there and do what they say. `make -n` prints a recipe without running it."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.house.tree import ROOT, kept_files, read

TARGETS = {"help", "setup", "run", "test", "lint", "bench", "soak", "lock", "clean"}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    environment = {**os.environ, "MAKEFLAGS": ""}  # the flags of the `make test` that runs this test are not meant here
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def recipe(*arguments: str) -> str:
    result = make(*arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_plain_make_lists_every_target() -> None:
    assert set(re.findall(r"^make (\w+) +\S", recipe(), re.MULTILINE)) == TARGETS


@pytest.mark.parametrize("tool", ["ruff format --check", "ruff check", "mypy", "lint-imports"])
def test_lint_runs(tool: str) -> None:
    assert f"/{tool}" in recipe("-n", "lint")


def test_the_tests_come_after_the_checks() -> None:
    lines = recipe("-n", "test")
    assert 0 < lines.index("lint-imports") < lines.index("-m pytest")


def test_ci_runs_what_a_person_types() -> None:
    assert read(".ci/run").splitlines()[-1] == "make test"


def test_documents_name_only_targets_that_exist() -> None:
    documents = [path for path in kept_files() if path.suffix == ".md"]
    named = {target for path in documents for target in re.findall(r"`make (\w+)", path.read_text(encoding="utf-8"))}
    assert named <= TARGETS


@pytest.mark.parametrize("python", ["/nowhere/python3", "false"])
def test_without_a_fitting_python_make_says_what_is_needed(python: str) -> None:
    result = make(f"PYTHON={python}", "VENV=.make/absent", ".make/absent/bin/pip")
    assert result.returncode != 0
    assert "Puna needs Python 3.11 or newer" in result.stderr
    assert not (ROOT / ".make/absent").exists()
