"""Limits on a JSON Schema before the engine compiles it (threats T17).

The engine's compiler takes a repeat count by its word: `minItems` of a billion on the raw completion route kept it
busy for good and took gigabytes, and with it everybody's requests. Iterative, so that depth costs no stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from puna.errors import BadRequest

MAX_DEPTH = 32
MAX_NODES = 10_000
MAX_REPEATS = 2_000
MAX_PATTERN = 512  # characters

_REPEATS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises `BadRequest` that names the limit which the schema passes.

    Repeats multiply on the way down: a list of 1,000 lists of 1,000 is a million.
    """
    nodes = 0
    waiting: list[tuple[Any, int, int]] = [(schema, 1, 1)]
    while waiting:
        node, depth, repeats = waiting.pop()
        nodes += 1
        if nodes > MAX_NODES:
            raise BadRequest(f"invalid format: the schema has more than {MAX_NODES} parts")
        if depth > MAX_DEPTH:
            raise BadRequest(f"invalid format: the schema is nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, list):
            waiting.extend((part, depth + 1, repeats) for part in node)
        elif isinstance(node, Mapping):
            repeats *= _own_repeats(node)
            if repeats > MAX_REPEATS:
                raise BadRequest(f"invalid format: the schema asks for more than {MAX_REPEATS} repeats")
            waiting.extend((part, depth + 1, repeats) for part in node.values())


def _own_repeats(node: Mapping[str, Any]) -> int:
    pattern = node.get("pattern")
    if isinstance(pattern, str):
        _check_pattern(pattern)
    counts = [value for key, value in node.items() if key in _REPEATS and isinstance(value, int | float)]
    return max((1, *(int(min(count, MAX_REPEATS + 1)) for count in counts if count == count)))


def _check_pattern(pattern: str) -> None:
    """All counts of the pattern multiplied, nested or not: strict, simple, and no pattern is parsed."""
    if len(pattern) > MAX_PATTERN:
        raise BadRequest(f"invalid format: a pattern is longer than {MAX_PATTERN} characters")
    product, digits, inside = 1, "", False
    for character in pattern:
        if character == "{":
            inside, digits = True, ""
        elif inside and character in ",}":
            product *= max(1, int(digits or 1)) if len(digits) <= 6 else MAX_REPEATS + 1
            inside, digits = character == ",", ""
        elif inside and character.isdecimal() and character.isascii():
            digits += character
        else:
            inside = False
        if product > MAX_REPEATS:
            raise BadRequest(f"invalid format: a pattern asks for more than {MAX_REPEATS} repeats")
