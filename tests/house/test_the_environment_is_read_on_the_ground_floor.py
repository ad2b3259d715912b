"""Every knob is a field of `Settings`, which pydantic fills; besides, one module looks at the environment itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import ROOT

PLACES = {"environment.py"}
READERS = {"environ", "environb", "getenv", "getenvb"}
PACKAGE = ROOT / "src/puna"
SOURCES = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / name for name in PLACES})


def readings(tree: ast.AST) -> Iterator[int]:
    """Line numbers of `os.environ`, `from os import getenv` and their relatives."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr=name, lineno=line) if name in READERS:
                yield line
            case ast.ImportFrom(module="os", names=names, lineno=line) if READERS & {alias.name for alias in names}:
                yield line


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_module_reads_the_environment(path: Path) -> None:
    assert list(readings(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "line",
    ["import os; os.environ['A']", "import os; os.getenv('A')", "from os import environ", "from os import getenv as g"],
)
def test_a_reading_is_recognised(line: str) -> None:
    assert list(readings(ast.parse(line))) == [1]
