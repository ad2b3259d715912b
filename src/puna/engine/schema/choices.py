"""Whether the choices of a `oneOf` exclude each other: then, and only then, it is the `anyOf` that the engine knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

_DEPTH = 8  # references and properties followed down
_STEPS = 20_000  # in all: two choices with many parts have many pairs

_TYPES = frozenset({"null", "boolean", "number", "string", "array", "object"})


def exclude_each_other(choices: list[Any], definitions: Mapping[str, Any]) -> bool:
    """`choices` and `definitions` are normalised. False where it cannot be told easily."""
    return _Comparison(definitions).apart(choices)


class _Comparison:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._steps = 0

    def apart(self, choices: list[Any]) -> bool:
        return all(self._disjoint(one, other, _DEPTH) for one, other in combinations(choices, 2))

    def _disjoint(self, one: Any, other: Any, depth: int) -> bool:
        self._steps += 1
        if one is False or other is False:
            return True
        if depth == 0 or self._steps > _STEPS:
            return False
        if self._part_is_disjoint(one, other, depth - 1) or self._part_is_disjoint(other, one, depth - 1):
            return True
        if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
            return False
        if not _types(one) & _types(other):
            return True
        if "enum" in one and "enum" in other:
            return not any(_equal(mine, yours) for mine in one["enum"] for yours in other["enum"])
        if _types(one) | _types(other) != {"object"}:
            return False
        return self._property_tells(one, other, depth - 1) or self._property_tells(other, one, depth - 1)

    def _part_is_disjoint(self, one: Any, other: Any, depth: int) -> bool:
        """Something else that fits `one` must fit as well and that cannot fit `other`."""
        if any(self._disjoint(part, other, depth) for part in self._all_of(one)):
            return True
        choices = one.get("anyOf", ()) if isinstance(one, Mapping) else ()
        return bool(choices) and all(self._disjoint(part, other, depth) for part in choices)

    def _all_of(self, schema: Any) -> Iterator[Any]:
        if isinstance(schema, Mapping):
            yield from schema.get("allOf", ())
            if "$ref" in schema:
                yield self._definitions.get(schema["$ref"].rpartition("/")[2], True)

    def _property_tells(self, one: Mapping[str, Any], other: Mapping[str, Any], depth: int) -> bool:
        """`one` must have a property that `other` must not have, or that both must have and that cannot fit both."""
        listed = other.get("properties", {})
        closed = other.get("additionalProperties") is False and "patternProperties" not in other
        for name in one.get("required", ()):
            if name not in listed:
                if closed:
                    return True
            elif name in other.get("required", ()):
                mine = one.get("properties", {}).get(name, True)
                if self._disjoint(mine, listed[name], depth):
                    return True
        return False


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    """Integers count as numbers."""
    said = frozenset("number" if kind == "integer" else kind for kind in schema.get("type", _TYPES))
    return said & {_type(value) for value in schema["enum"]} if "enum" in schema else said


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _equal(one: Any, other: Any) -> bool:
    """As JSON: 1 and 1.0 are, 1 and true are not. Structures may be, as far as this goes."""
    if _type(one) in ("array", "object"):
        return _type(one) == _type(other)
    return _type(one) == _type(other) and bool(one == other)
