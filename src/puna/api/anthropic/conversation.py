"""Content blocks as the messages that a template reads (contract ollama-http §7, "Content blocks"). Pure.

A block that cannot be honoured is refused by its type: without it the model would answer another question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import ValidationError

from puna.api.anthropic.schemas import AnthropicBlock, AnthropicMessage, AnthropicToolResult
from puna.api.media import base64_bytes
from puna.errors import BadRequest
from puna.prompts.messages import Attached, Message, ToolCall

_OPAQUE = ("redacted_thinking",)  # encrypted by another provider: no model here can read it


def conversation(system: Sequence[AnthropicBlock], turns: Sequence[AnthropicMessage]) -> list[Message]:
    """The system text, then the turns; a turn with tool results becomes several messages. Raises `BadRequest`."""
    messages: list[Message] = []
    if text := _text(system, "system"):
        messages.append(Message("system", text))
    names: dict[str, str] = {}  # of the tools called so far, by the call's id
    for number, turn in enumerate(turns):
        where = f"messages.{number}"
        match turn.role.lower():
            case "user":
                messages += _user(turn.content, f"{where}.content", names)
            case "assistant":
                message = _assistant(turn.content, f"{where}.content")
                names |= {call.id: call.name for call in message.tool_calls}
                messages.append(message)
            case "system":
                messages.append(Message("system", _text(turn.content, f"{where}.content")))
            case _:
                raise BadRequest(f'{where}.role must be "user", "assistant" or "system"')
    return messages


def text_bytes(messages: Iterable[Message]) -> int:
    return sum(len(message.content.encode()) + len(message.thinking.encode()) for message in messages)


def _user(blocks: Sequence[AnthropicBlock], where: str, names: dict[str, str]) -> Iterator[Message]:
    """Tool results first, each a message of its own, then what the user says."""
    said: dict[int, AnthropicBlock] = {}  # by its number in the turn
    for number, block in enumerate(blocks):
        if block.type == "tool_result":
            yield _tool_result(block, f"{where}.{number}", names)
        else:
            said[number] = block
    if said or not blocks:
        yield _text_and_images("user", said, where)


def _assistant(blocks: Sequence[AnthropicBlock], where: str) -> Message:
    text: list[str] = []
    thinking: list[str] = []
    calls: list[ToolCall] = []
    for block in blocks:
        match block.type:
            case "text":
                text.append(block.text)
            case "thinking":
                thinking.append(block.thinking)
            case "tool_use":
                calls.append(_tool_use(block, len(calls)))
            case _:
                _refuse(block, where)
    return Message("assistant", "".join(text), "".join(thinking), tool_calls=tuple(calls))


def _tool_use(block: AnthropicBlock, index: int) -> ToolCall:
    for field, value in (("id", block.id), ("name", block.name)):
        if not value:
            raise BadRequest(f"tool_use block missing required '{field}' field")
    return ToolCall(block.id, block.name, block.input, index)


def _tool_result(block: AnthropicBlock, where: str, names: dict[str, str]) -> Message:
    try:
        inner = AnthropicToolResult.model_validate({"content": block.content}).content
    except ValidationError:
        raise BadRequest(f"{where}.content must be a text or a list of content blocks") from None
    message = _text_and_images("tool", dict(enumerate(inner)), f"{where}.content")
    call = block.tool_use_id
    return Message("tool", message.content, "", message.images, tool_name=names.get(call, ""), tool_call_id=call)


def _text_and_images(role: str, blocks: Mapping[int, AnthropicBlock], where: str) -> Message:
    text: list[str] = []
    images: list[bytes] = []
    for number, block in blocks.items():
        match block.type:
            case "text":
                text.append(block.text)
            case "image":
                images.append(Attached.at(f"{where}.{number}.source.data", _image(block)))
            case _:
                _refuse(block, where)
    return Message(role, "".join(text), images=tuple(images))


def _image(block: AnthropicBlock) -> bytes:
    """The bytes that the client sent. An address is never read, let alone fetched or passed on (threats T07)."""
    if block.source is None:
        raise BadRequest("invalid image source")
    if block.source.type != "base64":
        raise BadRequest(f"invalid image source type: {block.source.type[:64]}. Only base64 images are supported.")
    data = base64_bytes("".join(block.source.data.split()))
    if data is None:
        raise BadRequest("invalid image source: its data must be base64")
    return data


def _text(blocks: Sequence[AnthropicBlock], where: str) -> str:
    for block in blocks:
        if block.type != "text":
            _refuse(block, where)
    return "".join(block.text for block in blocks)


def _refuse(block: AnthropicBlock, where: str) -> None:
    if block.type not in _OPAQUE:
        raise BadRequest(f'{where}: blocks of type "{block.type[:64]}" are not supported here')
