"""Which messages make up a conversation: presets, system text, the request's own (contract ollama-http §4.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from puna.prompts.messages import Message, ToolCall
from puna.prompts.thinking import ThinkingParser
from puna.store import Model

_THINK_TAGS = ("<think>", "</think>")


def assemble_chat(model: Model, messages: Sequence[Message]) -> tuple[Message, ...]:
    """Steps 1 to 4 of §4.3 for a chat request: presets and the model's system text first, old reasoning taken off.

    The model's system text comes in only when the first message of the request is no system message.
    """
    system = (Message("system", model.system),) if model.system and not _begins_with_system(messages) else ()
    together = (*system, *presets(model), *messages)
    return without_old_thinking(together) if _repeats_thinking(model) else together


def assemble_generate(
    model: Model, *, system: str = "", prompt: str, images: tuple[bytes, ...] = (), with_presets: bool = True
) -> tuple[Message, ...]:
    """Steps 1 to 3 of §4.3 for a generate request; `with_presets` is False when it has a `context`, even an empty one.

    The request's system text replaces the model's.
    """
    text = system or model.system
    head = (Message("system", text),) if text else ()
    return (*head, *(presets(model) if with_presets else ()), Message("user", prompt, images=images))


def presets(model: Model) -> tuple[Message, ...]:
    """The model's own `MESSAGE` turns; fields of a wrong type count as empty."""
    return tuple(
        Message(
            role=_text(raw, "role").lower(),
            content=_text(raw, "content"),
            thinking=_text(raw, "thinking"),
            tool_calls=_calls(raw.get("tool_calls")),
            tool_name=_text(raw, "tool_name"),
            tool_call_id=_text(raw, "tool_call_id"),
        )
        for raw in model.messages
    )


def without_old_thinking(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Assistant turns before the last user turn lose a leading `<think>…</think>` in their content."""
    last_user = max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)
    return tuple(
        _answer_only(message) if place < last_user and message.role == "assistant" else message
        for place, message in enumerate(messages)
    )


def _answer_only(message: Message) -> Message:
    parser = ThinkingParser(*_THINK_TAGS)
    content = parser.feed(message.content)[1] + parser.finish()[1]
    return replace(message, content=content)


def _begins_with_system(messages: Sequence[Message]) -> bool:
    return bool(messages) and messages[0].role == "system"


def _repeats_thinking(model: Model) -> bool:
    """Models that were published before answers had a `thinking` field, so clients send reasoning back as content."""
    return model.config.model_family == "qwen3" or model.name.model == "deepseek-r1"


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _calls(raw: object) -> tuple[ToolCall, ...]:
    functions = [call.get("function") for call in raw if isinstance(call, Mapping)] if isinstance(raw, list) else []
    known = [function for function in functions if isinstance(function, Mapping)]
    return tuple(
        ToolCall("", _text(function, "name"), arguments if isinstance(arguments, Mapping) else {}, index)
        for index, function in enumerate(known)
        for arguments in (function.get("arguments"),)
    )
