"""Server-sent events as bytes: `feed` what the network gave, `finish` when it ended. No I/O inside.

Events are split on the bytes `\\n\\n` and nothing else: line readers also break on U+2028 and U+0085, which are legal
inside JSON.
"""

from __future__ import annotations

from puna.errors import EngineError

MAX_EVENT_BYTES = 8 * 1024 * 1024


class SseParser:
    """Gives the data of each event; comments (the engine's pings) and other fields are dropped."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The events that are complete now. Raises `EngineError` for one beyond `MAX_EVENT_BYTES`."""
        events = (self._tail + data).split(b"\n\n")
        self._tail = events.pop()
        if len(self._tail) > MAX_EVENT_BYTES:
            raise EngineError("the engine sent an event that is too large")
        return [payload for event in events if (payload := _data(event))]

    def finish(self) -> list[bytes]:
        """The last event, where its blank line is missing."""
        payload, self._tail = _data(self._tail), b""
        return [payload] if payload else []


def _data(event: bytes) -> bytes:
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    lines = (line for line in event.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)
