"""Naming an endpoint must not load an HTTP library."""

from __future__ import annotations

import subprocess
import sys

import puna.client


def test_every_public_name_exists() -> None:
    assert all(getattr(puna.client, name) for name in puna.client.__all__)


def test_an_endpoint_and_a_quick_question_load_nothing_heavy() -> None:
    script = (
        "import sys, puna.client.quick, puna.client.endpoint\n"
        "print(sorted({'aiohttp', 'asyncio', 'orjson', 'pydantic', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
