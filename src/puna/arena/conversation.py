"""The conversation that every instance is asked to go on with (contract arena §1.5, B1 to B5 and B9). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from puna.arena.failures import Refused

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Message:
    """What of a message goes upstream (B2)."""

    role: str
    content: str

    def wire(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


def read_conversation(body: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages of `history`, with those of the older fields `message` and `system` (B5). Raises `Refused`."""
    history = body.get("history")
    messages = [_read(index, item) for index, item in enumerate(history if isinstance(history, list) else ())]
    if text := _text(body, "message"):
        said = Message("user", text)
        if messages[-1:] != [said]:
            messages.append(said)
    if (text := _text(body, "system")) and not any(message.role == "system" for message in messages):
        messages.insert(0, Message("system", text))
    if not any(message.role == "user" and message.content.strip() for message in messages):
        raise Refused("No messages provided")
    return tuple(messages)


def cut(messages: Sequence[Message], limit: int) -> tuple[Message, ...]:
    """At most `limit` messages where that leaves something to answer (B9).

    System messages at the beginning stay whatever their number, and then the newest ones. The last question stays, too,
    and no assistant's turn stands first after the cut.
    """
    if len(messages) <= limit:
        return tuple(messages)
    leading = list(takewhile(lambda message: message.role == "system", messages))
    others = messages[len(leading) :]
    start = min(max(0, len(others) - max(1, limit - len(leading))), _last_question(others))
    while start and others[start].role == "assistant":
        start += 1
    return (*leading, *others[start:])


def _last_question(messages: Sequence[Message]) -> int:
    return max(index for index, message in enumerate(messages) if message.role == "user")


def _read(index: int, item: object) -> Message:
    if isinstance(item, dict) and item.get("role") in ROLES and isinstance(item.get("content"), str):
        return Message(item["role"], item["content"])
    raise Refused(f"Invalid message at index {index}")


def _text(body: Mapping[str, Any], field: str) -> str:
    value = body.get(field)
    return value if isinstance(value, str) and value.strip() else ""
