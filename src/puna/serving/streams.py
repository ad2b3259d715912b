"""Streamed answers as bare ASGI responses, and the one rule about clients that leave: their work is cancelled at once.

An error before the first piece is raised, so that it becomes a real status; after it, it is the last piece, in the form
of the dialect (contract ollama-http §1.4).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import aclosing
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from puna.errors import Cancelled, PunaError
from puna.serving.requestlog import note

STALLED_CLIENT_S = 60.0  # a reader that takes nothing for so long loses its slot (threats T23)

T = TypeVar("T")


class StreamedResponse(Response):
    """Sends what `pieces` yields, one network write per item. `last_words` tells an error in the stream's own form."""

    def __init__(
        self, pieces: AsyncGenerator[bytes], media_type: str, last_words: Callable[[PunaError], bytes]
    ) -> None:
        self.status_code = 200
        self.background = None
        self.first_headers = [(b"content-type", media_type.encode())]
        self._pieces = pieces
        self._last_words = last_words
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await until_disconnect(receive, lambda: self._send_all(scope, send))
        except Cancelled as error:
            if not self._started:
                raise
            note(Request(scope), error=error.message)  # there is nobody left to be told

    async def _send_all(self, scope: Scope, send: Send) -> None:
        try:
            async with aclosing(self._pieces) as pieces:
                async for data in pieces:
                    await self._send(send, data)
        except Cancelled:
            raise
        except PunaError as error:
            if not self._started:
                raise
            note(Request(scope), error=error.message)
            await self._send(send, self._last_words(error))
        await self._send(send, b"", more=False)

    async def _send(self, send: Send, data: bytes, *, more: bool = True) -> None:
        if not self._started:
            self._started = True
            await send(self._start())
        await _send_in_time(send, {"type": "http.response.body", "body": data, "more_body": more})

    def _start(self) -> Message:
        """Fresh for every answer: the guard adds headers to it in place."""
        return {"type": "http.response.start", "status": 200, "headers": [*self.first_headers]}


class NdjsonResponse(StreamedResponse):
    """Lines of JSON; an item may hold several."""

    def __init__(self, lines: AsyncGenerator[bytes], last_words: Callable[[PunaError], bytes]) -> None:
        super().__init__(lines, "application/x-ndjson", last_words)


class EventStream(StreamedResponse):
    """Server-sent events; an item may hold several (contract ollama-http §6.2, §7)."""

    def __init__(self, events: AsyncGenerator[bytes], last_words: Callable[[PunaError], bytes]) -> None:
        super().__init__(events, "text/event-stream", last_words)
        self.first_headers.append((b"cache-control", b"no-cache"))


async def _send_in_time(send: Send, message: Message) -> None:
    try:
        async with asyncio.timeout(STALLED_CLIENT_S):
            await send(message)
    except TimeoutError:
        raise Cancelled from None


async def until_disconnect(receive: Receive, work: Callable[[], Awaitable[T]]) -> T:
    """Run `work`, cancelling it when the client goes away. Raises `Cancelled` in that case.

    The request's body must have been read: what `receive` gives next is then the disconnect.
    """
    task = asyncio.ensure_future(work())
    leaving = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Cancelled
        return task.result()
    finally:
        leaving.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def answer(request: Request, work: Callable[[], Awaitable[T]]) -> T:
    """`until_disconnect` for a handler that answers with one object."""
    return await until_disconnect(request.receive, work)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def in_thread(steps: Iterator[T]) -> AsyncGenerator[T]:
    """Drive a blocking generator in worker threads. Leaving early waits for the step at work, then closes it."""
    step: asyncio.Future[T | None] | None = None
    try:
        while True:
            step = asyncio.ensure_future(asyncio.to_thread(next, steps, None))
            item = await asyncio.shield(step)
            if item is None:
                return
            yield item
    finally:
        if step is not None and not step.done():
            await asyncio.wait((step,))
        if isinstance(steps, Generator):
            await asyncio.to_thread(steps.close)


async def side_by_side(streams: Sequence[AsyncGenerator[T]]) -> AsyncGenerator[tuple[int, T]]:
    """The items of all streams as they come, each with its stream's number. The first error ends them all."""
    if len(streams) == 1:
        async with aclosing(streams[0]) as only:
            async for item in only:
                yield 0, item
        return
    # Of bounded length: streams are no faster than who reads them.
    items: asyncio.Queue[tuple[int, T] | Exception | None] = asyncio.Queue(len(streams))

    async def drain(index: int, stream: AsyncGenerator[T]) -> None:
        try:
            async with aclosing(stream):
                async for item in stream:
                    await items.put((index, item))
        except Exception as error:
            await items.put(error)
        else:
            await items.put(None)

    tasks = [asyncio.create_task(drain(index, stream)) for index, stream in enumerate(streams)]
    try:
        left = len(tasks)
        while left:
            found = await items.get()
            if isinstance(found, Exception):
                raise found
            if found is None:
                left -= 1
            else:
                yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
