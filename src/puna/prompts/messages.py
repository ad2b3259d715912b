"""What a conversation is made of: messages, tool calls, tool descriptions (contract ollama-http §3.6, §4.9).

Plain frozen data in no dialect; the faces build it, the templates read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from puna.errors import BadRequest

Tool = Mapping[str, Any]
"""A tool as `normalise_tools` leaves it: known keys only, in the reference's order, checked types."""

MAX_SCHEMA_DEPTH = 64


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that a model made. `index` counts the calls of one answer from 0."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    index: int = 0


class Attached(bytes):
    """A picture or a recording that knows the field of the request it came in, for error texts."""

    field: str

    @classmethod
    def at(cls, field: str, data: bytes) -> Self:
        attached = cls(data)
        attached.field = field
        return attached


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `role` is lower case, usually system, user, assistant or tool; `images` are also audio (§4.6)."""

    role: str
    content: str = ""
    thinking: str = ""
    images: tuple[bytes, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str = ""
    tool_call_id: str = ""


def normalise_tools(raw: Sequence[Any]) -> tuple[Tool, ...]:
    """Tools with the schema keywords that templates know, all others dropped (§4.9 "Property schema kept").

    The order of properties is kept. Absent parameters become an object without properties. Raises `BadRequest` that
    names the place for a value of a wrong type.
    """
    return tuple(_tool(value, f"tools[{number}]") for number, value in enumerate(raw))


def _tool(raw: Any, where: str) -> Tool:
    tool = _object(raw, where)
    function = _object(tool.get("function"), f"{where}.function")
    name = _text(function, "name", f"{where}.function")
    if not name:
        raise BadRequest(f"{where}.function.name is required")
    description = _text(function, "description", f"{where}.function")
    parameters = _parameters(function.get("parameters"), f"{where}.function.parameters")
    return {
        "type": _text(tool, "type", where) or "function",
        **_given(items=tool.get("items")),
        "function": {"name": name, **_given(description=description), "parameters": parameters},
    }


def _parameters(raw: Any, where: str) -> Mapping[str, Any]:
    schema = _object({} if raw is None else raw, where)
    return {
        "type": _text(schema, "type", where) or "object",
        **_given(**{"$defs": schema.get("$defs"), "items": schema.get("items")}),
        **_given(required=_texts(schema, "required", where)),
        "properties": _properties(schema, where, 1) or {},
    }


def _properties(schema: Mapping[str, Any], where: str, depth: int) -> Mapping[str, Any] | None:
    raw = schema.get("properties")
    if raw is None:
        return None
    where = f"{where}.properties"
    return {name: _property(value, f"{where}.{name}", depth) for name, value in _object(raw, where).items()}


def _property(raw: Any, where: str, depth: int) -> Mapping[str, Any]:
    if depth > MAX_SCHEMA_DEPTH:
        raise BadRequest(f"tool schema is nested deeper than {MAX_SCHEMA_DEPTH} levels")
    schema = _object(raw, where)
    kind = schema.get("type")
    if not isinstance(kind, str):
        kind = _texts(schema, "type", where)
    choices = _list(schema, "anyOf", where)
    return _given(
        anyOf=[_property(choice, f"{where}.anyOf[{i}]", depth + 1) for i, choice in enumerate(choices or ())],
        type=kind,
        items=schema.get("items"),
        description=_text(schema, "description", where),
        enum=_list(schema, "enum", where),
        properties=_properties(schema, where, depth + 1),
        required=_texts(schema, "required", where),
    )


def _given(**fields: Any) -> dict[str, Any]:
    """The fields that are not empty, as the reference's encoder omits them."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadRequest(f"{where} must be an object")
    return value


def _text(schema: Mapping[str, Any], key: str, where: str) -> str:
    value = schema.get(key)
    if not isinstance(value, str | None):
        raise BadRequest(f"{where}.{key} must be a string")
    return value or ""


def _list(schema: Mapping[str, Any], key: str, where: str) -> list[Any] | None:
    value = schema.get(key)
    if not isinstance(value, list | None):
        raise BadRequest(f"{where}.{key} must be a list")
    return value


def _texts(schema: Mapping[str, Any], key: str, where: str) -> list[str] | None:
    values = _list(schema, key, where)
    if values is not None and not all(isinstance(value, str) for value in values):
        raise BadRequest(f"{where}.{key} must be a list of strings")
    return values
