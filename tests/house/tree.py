"""The files that belong to the repository: all that .gitignore does not leave out. Needs no git."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def kept_files() -> Iterator[Path]:
    ignored = [".git", *_ignored()]
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not _matches(Path(folder, name), ignored)]
        yield from (path for name in files if not _matches(path := Path(folder, name), ignored))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _ignored() -> list[str]:
    """.gitignore holds names, patterns of names and whole paths only, which keeps this reader as small as it is."""
    return [line.rstrip("/") for line in read(".gitignore").split() if not line.startswith("#")]


def _matches(path: Path, patterns: list[str]) -> bool:
    whole = path.relative_to(ROOT).as_posix()
    return any(fnmatch(whole if "/" in pattern else path.name, pattern) for pattern in patterns)
