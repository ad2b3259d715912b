"""OpenAI's messages as the plain ones of this house (contract ollama-http §6.2). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from puna.api.openai.media import decoded, image_of
from puna.api.openai.schemas import OpenAIMessage, OpenAIToolCall
from puna.errors import BadRequest, FieldRefused
from puna.prompts.messages import Message, ToolCall

_ROLES = {"developer": "system", "function": "tool"}  # newer and older words for the same


def conversation(bodies: Sequence[OpenAIMessage]) -> list[Message]:
    """Raises `BadRequest` for no messages at all, `FieldRefused` for a message that cannot be read."""
    if not bodies:
        raise BadRequest("[] is too short - 'messages'")
    called: dict[str, str] = {}  # id of a call → name of the tool; a later call with the same id counts
    result: list[Message] = []
    for number, body in enumerate(bodies):
        where = f"messages[{number}]"
        calls = _tool_calls(body.tool_calls or (), f"{where}.tool_calls")
        called |= {call.id: call.name for call in calls}
        result += _messages(body, calls, body.name or called.get(body.tool_call_id, ""), where)
    return result


def call_arguments(text: str, param: str) -> dict[str, Any]:
    """A call's arguments, which travel as JSON text. Raises `FieldRefused` for what is no object."""
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise FieldRefused("invalid tool call arguments", param)
    return arguments


def go_type(value: object) -> str:
    """The name that the reference's error texts have for the type of a JSON value."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    kinds = {str: "string", int: "float64", float: "float64", list: "[]interface {}"}
    return kinds.get(type(value), "map[string]interface {}")


def _messages(body: OpenAIMessage, calls: tuple[ToolCall, ...], name: str, where: str) -> list[Message]:
    role = body.role.lower()
    role = _ROLES.get(role, role)
    empty = Message(role, tool_name=name if role == "tool" else "", tool_call_id=body.tool_call_id)
    content = body.refusal if body.content is None and body.refusal else body.content
    if not isinstance(content, str | list) and (content is not None or body.tool_calls is None):
        raise FieldRefused(f"invalid message content type: {go_type(content)}", f"{where}.content")
    if isinstance(content, list):
        parts = [part for number, raw in enumerate(content) for part in _part(raw, f"{where}.content[{number}]")]
        messages = [replace(empty, content=text, images=images) for text, images in parts] or [empty]
    else:
        messages = [replace(empty, content=content or "")]
    messages[-1] = replace(messages[-1], thinking=body.reasoning, tool_calls=calls)
    return messages


def _part(raw: object, where: str) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """Text and media of one part."""
    part: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    match part.get("type"):
        case "text" | "refusal" as kind if isinstance(text := part.get(kind), str):
            yield text, ()
        case "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, Mapping) else image
            if not isinstance(url, str):
                raise FieldRefused("invalid message format", where)
            yield "", (image_of(url, f"{where}.image_url"),)
        case "input_audio":
            audio = part.get("input_audio")
            data = audio.get("data") if isinstance(audio, Mapping) else None
            if not isinstance(data, str):
                raise FieldRefused("invalid message format", where)
            yield "", (decoded(data, "invalid input_audio data", f"{where}.input_audio.data"),)
        case _:
            raise FieldRefused("invalid message format", where)


def _tool_calls(bodies: Sequence[OpenAIToolCall], where: str) -> tuple[ToolCall, ...]:
    return tuple(_tool_call(body, index, f"{where}[{index}]") for index, body in enumerate(bodies))


def _tool_call(body: OpenAIToolCall, index: int, where: str) -> ToolCall:
    arguments = call_arguments(body.function.arguments, f"{where}.function.arguments")
    return ToolCall(body.id, body.function.name, arguments, index)
