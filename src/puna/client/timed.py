"""The client with a stopwatch: when the connection stood, when the headers came, when each piece of an answer arrived.

Pieces are stamped as they leave the network's buffer, before anything looks into them (contract meter §17, §22). Times
are nanoseconds of the monotonic clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic_ns
from types import SimpleNamespace
from typing import Any

import aiohttp
import orjson

from puna.client.client import MAX_BODY, OllamaClient
from puna.client.errors import ClientError, error_text

_Start = aiohttp.TraceConnectionCreateStartParams
_End = aiohttp.TraceConnectionCreateEndParams
_JSON = {"Content-Type": "application/json"}


class Exchange:
    """The times of one request and its answer. Every `…_ns` but `sent_ns` counts from `sent_ns`."""

    def __init__(self) -> None:
        self.sent_ns = monotonic_ns()  # set again when the request really goes
        self.connect_ns: int | None = None  # finding the name, TCP and TLS; None on a connection that was there
        self.headers_ns: int | None = None
        self._connecting_ns = 0
        self._response: aiohttp.ClientResponse | None = None

    def elapsed_ns(self) -> int:
        return monotonic_ns() - self.sent_ns

    async def pieces(self) -> AsyncIterator[tuple[int, bytes]]:
        """(arrival, bytes) to the answer's end. Read to the end, the connection serves the next request as well (C7).

        Raises `ClientError` for an answer beyond `MAX_BODY` bytes.
        """
        assert self._response is not None
        size = 0
        async for piece in self._response.content.iter_any():
            arrived = self.elapsed_ns()
            size += len(piece)
            if size > MAX_BODY:
                raise ClientError(f"the server's answer is larger than {MAX_BODY >> 20} MiB")
            yield arrived, piece

    def sending(self) -> None:
        self.sent_ns = monotonic_ns()

    async def answered(self, response: aiohttp.ClientResponse) -> None:
        """Raises `ClientError` with the server's words for a status of 400 and more."""
        self.headers_ns = self.elapsed_ns()
        self._response = response
        if response.status >= 400:
            text = b"".join([piece async for _, piece in self.pieces()])
            raise ClientError(error_text(text, str(response.reason)), status=response.status)

    def connecting(self) -> None:
        self._connecting_ns = self.elapsed_ns()

    def connected(self) -> None:
        self.connect_ns = self.elapsed_ns() - self._connecting_ns


class TimedClient(OllamaClient):
    """An `OllamaClient` that also gives its requests' times. Connections are kept between requests."""

    @asynccontextmanager
    async def post(self, path: str, body: Mapping[str, Any], exchange: Exchange) -> AsyncIterator[Exchange]:
        """Send a JSON object; the answer's headers are there on entering. Raises `ServerUnreachable`, `ClientError`.

        The times are written into `exchange`, which has them after a failure, too. Leaving before the last piece
        closes the connection, and so ends the server's work.
        """
        data = orjson.dumps(dict(body))
        exchange.sending()
        async with self._open("POST", path, data, _JSON, traced=exchange) as response:
            await exchange.answered(response)
            yield exchange

    def _new_session(self, traces: list[aiohttp.TraceConfig] | None = None) -> aiohttp.ClientSession:
        return super()._new_session([*(traces or []), _connection_trace()])


def _connection_trace() -> aiohttp.TraceConfig:
    async def start(_: aiohttp.ClientSession, context: SimpleNamespace, __: _Start) -> None:
        if isinstance(exchange := context.trace_request_ctx, Exchange):
            exchange.connecting()

    async def end(_: aiohttp.ClientSession, context: SimpleNamespace, __: _End) -> None:
        if isinstance(exchange := context.trace_request_ctx, Exchange):
            exchange.connected()

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(start)
    trace.on_connection_create_end.append(end)
    return trace
