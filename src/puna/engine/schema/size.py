"""How deep and how large a schema may be. Iterative, so that depth costs no stack: what comes after may recurse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from puna.engine.schema.refused import Refused, refusing

MAX_DEPTH = 32
MAX_NODES = 10_000
MAX_TEXT = 2**18  # characters of all names and texts; a constant of some megabytes is a megabyte of grammar


def check_size(schema: Mapping[str, Any], field: str = "format") -> None:
    """Raises `BadRequest` that names the limit which the schema passes; `field` is where the caller put it."""
    with refusing(field):
        _check(schema)


def _check(schema: Mapping[str, Any]) -> None:
    nodes = text = 0
    waiting: list[tuple[Any, int]] = [(schema, 1)]
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        if nodes > MAX_NODES:
            raise Refused(f"the schema has more than {MAX_NODES} parts")
        if depth > MAX_DEPTH:
            raise Refused(f"the schema is nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, str):
            text += len(node)
        elif isinstance(node, list):
            waiting.extend((part, depth + 1) for part in node)
        elif isinstance(node, Mapping):
            text += sum(map(len, node))
            waiting.extend((part, depth + 1) for part in node.values())
        if text > MAX_TEXT:
            raise Refused(f"the schema has more than {MAX_TEXT} characters")
