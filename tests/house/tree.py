"""The files that belong to the repository: all that .gitignore does not leave out. Needs no git."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def kept_files() -> Iterator[Path]:
    ignored = [".git", *_ignored_names()]
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not _matches(name, ignored)]
        yield from (Path(folder, name) for name in files if not _matches(name, ignored))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _ignored_names() -> list[str]:
    """.gitignore holds plain names and name patterns only, which keeps this reader as small as it is."""
    return [line.rstrip("/") for line in read(".gitignore").split() if not line.startswith("#")]


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
