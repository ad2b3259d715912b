"""Streamed answers as bare ASGI responses, and the one rule about clients that leave: their work is cancelled at once.

An error before the first line is raised, so that it becomes a real status; after it, it is one line `{"error": …}` and
the stream ends (contract ollama-http §1.4).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from puna.api.requestlog import note
from puna.api.wire import error_body, line
from puna.errors import Cancelled, PunaError

STALLED_CLIENT_S = 60.0  # a reader that takes nothing for so long loses its slot (threats T23)

T = TypeVar("T")


class NdjsonResponse(Response):
    """Sends what `lines` yields, one network write per item; an item may hold several lines."""

    media_type = "application/x-ndjson"

    def __init__(self, lines: AsyncGenerator[bytes]) -> None:
        self.status_code = 200
        self.background = None
        self._lines = lines
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
            async with aclosing(self._lines) as lines:
                async for data in lines:
                    await self._send(send, data)
        except Cancelled:
            raise
        except PunaError as error:
            if not self._started:
                raise
            note(Request(scope), error=error.message)
            await self._send(send, line(error_body(error)))
        await self._send(send, b"", more=False)

    async def _send(self, send: Send, data: bytes, *, more: bool = True) -> None:
        if not self._started:
            self._started = True
            await send(_start())
        await _send_in_time(send, {"type": "http.response.body", "body": data, "more_body": more})


def _start() -> Message:
    """Fresh for every answer: the guard adds headers to it in place."""
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/x-ndjson")]}


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
