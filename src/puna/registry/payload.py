"""Bytes on their way out: a body of known length that is read again for every try and never sent chunked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from puna.errors import PunaError, RegistryError

_STEP = 128 * 1024  # bytes whose sending counts as progress: a slow line must manage them within the patience


@dataclass(frozen=True, slots=True)
class Body:
    """`pieces()` gives an async iterator over exactly `size` bytes, from the start, each time it is called."""

    pieces: Callable[[], AsyncIterator[bytes]]
    size: int


class BodyPayload(Payload):
    """A `Body` as aiohttp wants it. `moved` is called whenever more of it has left.

    `failed_by` keeps what the source of the bytes raised, which aiohttp would report as a broken connection.
    """

    _autoclose = True

    def __init__(self, body: Body, moved: Callable[[], None]) -> None:
        super().__init__(body)
        self._size = body.size
        self._body = body
        self._moved = moved
        self.failed_by: PunaError | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Part of aiohttp's interface; a blob is no text."""
        raise TypeError("a body that is streamed has no text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        try:
            await self._write(writer)
        except PunaError as error:
            self.failed_by = error
            raise

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        await self.write(writer)  # the length header is this payload's own size

    async def _write(self, writer: AbstractStreamWriter) -> None:
        left = self._body.size
        source = cast(AsyncGenerator[bytes, None], self._body.pieces())
        async with aclosing(source):
            async for piece in source:
                left -= len(piece)
                if left < 0:
                    break
                view = memoryview(piece)
                for start in range(0, len(view), _STEP):
                    await writer.write(view[start : start + _STEP])
                    self._moved()
        if left:
            raise RegistryError("a blob changed while it was sent")
