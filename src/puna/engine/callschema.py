"""The JSON Schema of a tool call, made from what a caller says of the tools. Pure; the limits are those of `format`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from puna.engine.schema import Constraint, check_size, constrain
from puna.errors import BadRequest, FieldRefused

_NOT_PART_OF_ANOTHER = ("$schema", "$id")  # what only the root of a schema may say

# An object that says one of these may have properties which it does not list.
_OPEN = frozenset({
    "additionalProperties", "unevaluatedProperties", "patternProperties", "propertyNames", "minProperties",
})  # fmt: skip

# One value described in several places, of which each knows a part of its properties.
_ALL_OF = frozenset({"allOf", "not", "if", "then", "else", "dependentSchemas", "unevaluatedProperties", "$dynamicRef"})
_ANY_OF = frozenset({"anyOf", "oneOf", "$ref"})


def call_constraint(functions: Sequence[Mapping[str, Any]]) -> Constraint:
    """What holds an answer to `{"name": …, "arguments": {…}}` for a call of one of `functions`.

    Each function's parameters become a definition of their own, and what refers to their root is told where they are
    now. What they ask and the engine cannot hold is left out: a call is forced, not an answer to a schema. Raises
    `FieldRefused` for parameters that are no description of an object or pass a limit.
    """
    definitions: dict[str, Any] = {}
    calls: list[dict[str, Any]] = []
    for number, function in enumerate(functions):
        place = f"arguments{number}"
        definitions[place] = _moved(_arguments(function), f"#/$defs/{place}")
        call = {
            "type": "object",
            "properties": {"name": {"const": function["name"]}, "arguments": {"$ref": f"#/$defs/{place}"}},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        calls.append(call)
    schema = {**(calls[0] if len(calls) == 1 else {"anyOf": calls}), "$defs": definitions}
    with _refusing_tools():
        return constrain(schema, "tools", strict=False)


@contextmanager
def _refusing_tools() -> Iterator[None]:
    try:
        yield
    except BadRequest as error:
        raise FieldRefused(error.message, "tools") from None


def _arguments(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """The function's own parameters. None at all are an object without properties."""
    given = function.get("parameters") or {}
    with _refusing_tools():
        check_size(given, f"parameters of tool {function['name']!r}")  # before anything walks down into it
    schema = {key: value for key, value in given.items() if value is not None and key not in _NOT_PART_OF_ANOTHER}
    if (schema.get("type") or "object") != "object":
        raise FieldRefused(f"tool {function['name']!r}: its parameters must be of type object", "tools")
    schema["type"] = "object"
    if not schema.keys() & (_ALL_OF | _ANY_OF):
        schema.setdefault("properties", {})
    return _closed(schema)


def _closed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same without room for properties that it does not list, where only the listed ones can be meant.

    What fits it fits `schema` too. A small model fills such room for ever, and a call that was cut is none.
    """
    apart = not any(
        node.keys() & _ALL_OF or ("properties" in node and node.keys() & _ANY_OF) for node in _objects(schema)
    )
    closed: Mapping[str, Any] = _with_closed_objects(schema) if apart else schema
    return closed


def _with_closed_objects(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_closed_objects(part) for part in node]
    if not isinstance(node, Mapping):
        return node
    closed = {key: _with_closed_objects(part) for key, part in node.items()}
    return closed | {"additionalProperties": False} if _lists_all(node) else closed


def _lists_all(node: Mapping[str, Any]) -> bool:
    """Whether `node` describes an object by its properties, and asks for no others."""
    kind, properties, required = node.get("type"), node.get("properties"), node.get("required") or []
    if not isinstance(properties, Mapping) or not isinstance(required, list) or node.keys() & _OPEN:
        return False
    return (kind == "object" or (isinstance(kind, list) and "object" in kind)) and all(
        isinstance(name, str) and name in properties for name in required
    )


def _objects(node: Any) -> Iterator[Mapping[str, Any]]:
    """`node` and every object inside it."""
    if isinstance(node, Mapping):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _objects(part)


def _moved(node: Any, base: str) -> Any:
    """`node` as a part of a larger schema: what refers to its own root now refers to `base`."""
    if isinstance(node, list):
        return [_moved(part, base) for part in node]
    if not isinstance(node, Mapping):
        return node
    moved = {key: _moved(part, base) for key, part in node.items()}
    reference = moved.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        moved["$ref"] = base + reference.removeprefix("#")
    return moved
