"""Limits on a JSON Schema before the engine compiles it (threats T17).

The engine's compiler takes a repeat count by its word: `minItems` of a billion on the raw completion route kept it
busy for good and took gigabytes, and with it everybody's requests. Iterative, so that depth costs no stack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from puna.errors import BadRequest

MAX_DEPTH = 32
MAX_NODES = 10_000
MAX_REPEATS = 2_000
MAX_PATTERN = 512  # characters

_RANGE = re.compile(r"\{(\d+),(\d+)\}", re.ASCII)

_REPEATS = ("Items", "Length", "Properties")  # counted by `min…` and `max…`


class _PassesLimit(Exception):
    """What the schema asks too much of, in words."""


def check_schema(schema: Mapping[str, Any], field: str = "format") -> None:
    """Raises `BadRequest` that names the limit which the schema passes; `field` is where the caller put it."""
    try:
        _check_nodes(schema)
    except _PassesLimit as limit:
        raise BadRequest(f"invalid {field}: {limit}") from None


def _check_nodes(schema: Mapping[str, Any]) -> None:
    """Repeats multiply on the way down: a list of 1,000 lists of 1,000 is a million."""
    nodes = 0
    waiting: list[tuple[Any, int, int]] = [(schema, 1, 1)]
    while waiting:
        node, depth, repeats = waiting.pop()
        nodes += 1
        if nodes > MAX_NODES:
            raise _PassesLimit(f"the schema has more than {MAX_NODES} parts")
        if depth > MAX_DEPTH:
            raise _PassesLimit(f"the schema is nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, list):
            waiting.extend((part, depth + 1, repeats) for part in node)
        elif isinstance(node, Mapping):
            repeats *= _own_repeats(node)
            if repeats > MAX_REPEATS:
                raise _PassesLimit(f"the schema asks for more than {MAX_REPEATS} repeats")
            waiting.extend((part, depth + 1, repeats) for part in node.values())


def _own_repeats(node: Mapping[str, Any]) -> int:
    pattern = node.get("pattern")
    if isinstance(pattern, str):
        _check_pattern(pattern)
    return max(1, *(_check_range(node, f"min{what}", f"max{what}") for what in _REPEATS))


def _check_range(node: Mapping[str, Any], low: str, high: str) -> int:
    """The larger of two counts. The engine counts from `low` up to `high`, and for ever where that comes first."""
    least, most = node.get(low, 0), node.get(high, math.inf)
    if not all(isinstance(count, int | float) for count in (least, most)):
        return 1  # a property of that name, or a mistake that the engine reports
    if not 0 <= least <= most:  # false for NaN as well
        raise BadRequest(f"invalid format: {low} and {high} of the schema allow nothing")
    return int(min(most if most != math.inf else least, MAX_REPEATS + 1))


def _check_pattern(pattern: str) -> None:
    """All counts of the pattern multiplied, nested or not: strict, simple, and no pattern is parsed."""
    if len(pattern) > MAX_PATTERN:
        raise _PassesLimit(f"a pattern is longer than {MAX_PATTERN} characters")
    if any(int(low) > int(high) for low, high in _RANGE.findall(pattern)):
        raise _PassesLimit("a pattern counts from a number down to a smaller one")
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
            raise _PassesLimit(f"a pattern asks for more than {MAX_REPEATS} repeats")
