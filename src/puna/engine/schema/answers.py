"""How short an answer to a normalised schema can be: never refuses what has an answer, finds what has none.

A schema that asks for itself inside itself has no answer that ends, and a chain of lists of a hundred lists has one
that nobody waits for. The engine would write it for ever.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from puna.engine.schema.refused import Refused

MAX_SHORTEST = 100_000  # characters
_ROUNDS = 40

_TYPES = ("null", "boolean", "number", "string", "array", "object")

Lengths = dict[str, float]


def check_answers(schema: Mapping[str, Any]) -> None:
    """Raises `Refused` for a schema (made by `normalise`) whose shortest answer is too long or does not end."""
    definitions = schema.get("$defs", {})
    lengths: Lengths = dict.fromkeys(definitions, math.inf)
    for _ in range(_ROUNDS):
        before = dict(lengths)
        for name in reversed(definitions):  # made in the order in which they are met: later ones need fewer
            lengths[name] = shortest(definitions[name], lengths)
        if lengths == before:
            break
    else:
        raise Refused(f"the references of the schema lead on for more than {_ROUNDS} steps")
    length = shortest(schema, lengths)
    if length == math.inf:
        raise Refused("nothing fits the schema")
    if length > MAX_SHORTEST:
        raise Refused(f"every answer to the schema has more than {MAX_SHORTEST} characters")


def shortest(schema: Any, lengths: Lengths) -> float:
    """Characters that an answer has at least. `lengths` are those of the definitions, as far as they are known."""
    if isinstance(schema, bool):
        return 1 if schema else math.inf
    least = [_own(schema, lengths)]
    if "$ref" in schema:
        least.append(lengths[schema["$ref"].rpartition("/")[2]])
    if "enum" in schema:
        least.append(min(len(orjson.dumps(value)) for value in schema["enum"]))
    for choices in ("anyOf", "oneOf"):
        if choices in schema:
            least.append(min(shortest(part, lengths) for part in schema[choices]))
    least += [shortest(part, lengths) for part in schema.get("allOf", ())]
    return max(least)


def _own(schema: Mapping[str, Any], lengths: Lengths) -> float:
    """What the schema says of values of each type, of which one must do."""
    lowest = math.inf
    for kind in schema.get("type", _TYPES):
        match kind:
            case "null" | "boolean":
                length: float = 4
            case "string":
                length = 2 + schema.get("minLength", 0)
            case "array":
                length = _array(schema, lengths)
            case "object":
                length = _object(schema, lengths)
            case _:
                length = 1
        lowest = min(lowest, length)
    return lowest


def _array(schema: Mapping[str, Any], lengths: Lengths) -> float:
    count: int = schema.get("minItems", 0)
    if count > schema.get("maxItems", math.inf):
        return math.inf
    prefix: Sequence[Any] = schema.get("prefixItems", ())[:count]
    first = math.fsum(shortest(part, lengths) for part in prefix)
    others = count - len(prefix)
    rest = others * shortest(schema.get("items", True), lengths) if others else 0
    return 2 + 2 * max(count - 1, 0) + first + rest


def _object(schema: Mapping[str, Any], lengths: Lengths) -> float:
    required: Sequence[str] = schema.get("required", ())
    count: int = max(len(required), schema.get("minProperties", 0))
    if count > schema.get("maxProperties", math.inf):
        return math.inf
    properties = schema.get("properties", {})
    listed = math.fsum(len(name) + shortest(properties.get(name, True), lengths) for name in required)
    others = count - len(required)
    return 2 + 4 * count + 2 * max(count - 1, 0) + listed + others
