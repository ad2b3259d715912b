"""The conversation that every instance is asked to go on with (contract arena §1.5, B1 to B5 and B9). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from puna.arena.failures import Refused

ROLES = ("system", "user", "assistant")
MOST_IMAGES = 4  # of one message (§2.10)


@dataclass(frozen=True, slots=True)
class Message:
    """What of a message goes upstream (B2). `images` are base64, and only in the extended profile."""

    role: str
    content: str
    images: tuple[str, ...] = ()

    def wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {"role": self.role, "content": self.content}
        return wire | {"images": list(self.images)} if self.images else wire


def read_conversation(body: Mapping[str, Any], *, extended: bool = False) -> tuple[Message, ...]:
    """The messages of `history`, with those of the older fields `message` and `system` (B5). Raises `Refused`."""
    messages = read_messages(body.get("history"), extended=extended)
    if text := _text(body, "message"):
        said = Message("user", text)
        if messages[-1:] != [said]:
            messages.append(said)
    if (text := _text(body, "system")) and not any(message.role == "system" for message in messages):
        messages.insert(0, Message("system", text))
    check_question(messages)
    return tuple(messages)


def read_messages(history: object, *, extended: bool = False) -> list[Message]:
    """None where there is no list. Raises `Refused`."""
    items = history if isinstance(history, list) else ()
    return [_read(index, item, extended=extended) for index, item in enumerate(items)]


def check_question(messages: Sequence[Message]) -> None:
    """Raises `Refused` where nothing is asked (B1)."""
    if not any(message.role == "user" and (message.content.strip() or message.images) for message in messages):
        raise Refused("No messages provided")


def cut(messages: Sequence[Message], limit: int) -> tuple[Message, ...]:
    """At most `limit` messages where that leaves something to answer (B9).

    System messages at the beginning stay whatever their number, and then the newest ones. The last question stays, too,
    and no assistant's turn stands first after the cut.
    """
    if len(messages) <= limit:
        return tuple(messages)
    leading = _leading(messages)
    others = messages[len(leading) :]
    start = min(max(0, len(others) - max(1, limit - len(leading))), _last_question(others))
    while start and others[start].role == "assistant":
        start += 1
    return (*leading, *others[start:])


def with_system(messages: Sequence[Message], system: str) -> tuple[Message, ...]:
    """`system` in the place of the system messages at the beginning; an empty one leaves them."""
    if not system:
        return tuple(messages)
    return (Message("system", system), *messages[len(_leading(messages)) :])


def _leading(messages: Sequence[Message]) -> list[Message]:
    return list(takewhile(lambda message: message.role == "system", messages))


def _last_question(messages: Sequence[Message]) -> int:
    return max(index for index, message in enumerate(messages) if message.role == "user")


def _read(index: int, item: object, *, extended: bool) -> Message:
    if isinstance(item, dict) and item.get("role") in ROLES and isinstance(item.get("content"), str):
        images = read_images(item.get("images")) if extended else ()
        return Message(item["role"], item["content"], images)
    raise Refused(f"Invalid message at index {index}")


def read_images(value: object) -> tuple[str, ...]:
    """Base64 texts, not yet looked into. Raises `Refused`."""
    if value is None:
        return ()
    if not (isinstance(value, list) and all(isinstance(image, str) for image in value)):
        raise Refused("Invalid images: must be a list of base64 texts")
    if len(value) > MOST_IMAGES:
        raise Refused(f"Too many images: maximum {MOST_IMAGES}")
    return tuple(value)


def _text(body: Mapping[str, Any], field: str) -> str:
    value = body.get(field)
    return value if isinstance(value, str) and value.strip() else ""
