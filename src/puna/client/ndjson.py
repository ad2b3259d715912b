"""Newline-delimited JSON: bytes in, whole lines out. No I/O, no parsing of the lines."""

from __future__ import annotations

from puna.client.errors import ClientError

MAX_LINE = 8_000_000  # bytes; the reference's client reads lines through a buffer of this size (ollama-http §1.3)


class LineSplitter:
    """Joins pieces of a stream to whole lines. Blank lines are dropped; a line over `limit` bytes is an error."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._parts: list[bytes] = []  # the beginning of a line that is not complete
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their newlines. Raises `ClientError`."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._parts, lines[0]))
            self._parts, self._size = [], 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > self._limit or any(len(line) > self._limit for line in lines):
            raise ClientError(f"the server sent a line longer than {self._limit} bytes")
        return [line for line in lines if line.strip()]

    def finish(self) -> list[bytes]:
        """The last line, when the stream ended without a newline."""
        rest = b"".join(self._parts)
        self._parts, self._size = [], 0
        return [rest] if rest.strip() else []
