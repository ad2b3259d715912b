"""What lies between Puna and a registry: a TCP proxy that delays, slows, cuts or stalls, and counts every byte.

It relays bytes as they are and reads along with Puna's own HTTP parser, so that a fault can be given to one request and
a count be taken of one blob.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import httptools

from tests.registries.background import Background

CHUNK = 256 * 1024
IN_FLIGHT = 256
"""Chunks that may be on a slow line at once: more than any window of TCP, so that latency alone limits no throughput."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Hang up with a reset after so many bytes of the answer's body, or of the request's body where that is meant."""

    after: int
    of_request: bool = False


@dataclass(frozen=True, slots=True)
class Stall:
    """Fall silent after so many bytes, as `Cut` counts them, and keep the connection open."""

    after: int
    of_request: bool = False


@dataclass(slots=True)
class Exchange:
    """One request and its answer as they passed. Bytes are those of bodies."""

    method: str
    target: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0
    received: int = 0
    fault: Cut | Stall | None = None

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Faults = Callable[[Exchange], Cut | Stall | None]


class Proxy(Background):
    """A proxy in front of `port`. `latency_s` is added to each direction; `bytes_per_s` holds for all connections together.

    `faults` is asked once per request, as soon as its head is known. All four may be changed between requests.
    """

    def __init__(
        self, port: int, *, latency_s: float = 0, bytes_per_s: float = 0, faults: Faults | None = None
    ) -> None:
        super().__init__()
        self.upstream = port
        self.latency_s = latency_s
        self.bytes_per_s = bytes_per_s
        self.faults: Faults = faults or (lambda exchange: None)
        self.exchanges: list[Exchange] = []
        self._free_at = 0.0

    def served(self, text: str = "") -> int:
        """Bytes of answers that passed for requests whose path contains `text`."""
        return sum(exchange.received for exchange in list(self.exchanges) if text in exchange.path)

    def taken(self, text: str = "") -> int:
        """Bytes of request bodies that passed for requests whose path contains `text`."""
        return sum(exchange.sent for exchange in list(self.exchanges) if text in exchange.path)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        tap = _Tap(self)
        ways = [
            asyncio.create_task(self._relay(reader, upstream_writer, tap, tap.request)),
            asyncio.create_task(self._relay(upstream_reader, writer, tap, tap.answer)),
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            upstream_writer.transport.abort()
            if isinstance(tap.fault, Cut):
                writer.transport.abort()

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tap: _Tap, read_along: Callable[[bytes], int]
    ) -> None:
        """Pass everything on until this side ends. `read_along` says how much of a chunk may pass."""
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)
        far_end = asyncio.create_task(self._deliver(line, writer))
        try:
            while data := await reader.read(self._chunk()):
                allowed = read_along(data)
                await self._pace(allowed)
                if allowed:
                    await line.put((time.monotonic() + self.latency_s, data[:allowed]))
                if allowed < len(data):
                    if isinstance(tap.fault, Stall):
                        await asyncio.Event().wait()  # until the other side has had enough
                    break
            await line.put((time.monotonic() + self.latency_s, b""))
            await far_end
        finally:
            far_end.cancel()

    @staticmethod
    async def _deliver(line: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        """Write each chunk when it is due; an empty one is the end."""
        while True:
            due, data = await line.get()
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            if not data:
                return
            writer.write(data)
            await writer.drain()

    def _chunk(self) -> int:
        return max(1024, min(CHUNK, int(self.bytes_per_s / 100))) if self.bytes_per_s else CHUNK

    async def _pace(self, size: int) -> None:
        if self.bytes_per_s:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size / self.bytes_per_s
            await asyncio.sleep(self._free_at - now)


class _Tap:
    """Reads along on one connection: `request` and `answer` take a chunk and say how many bytes of it may pass."""

    def __init__(self, proxy: Proxy) -> None:
        self.exchange: Exchange | None = None
        self._proxy = proxy
        self._requests = httptools.HttpRequestParser(_RequestEvents(self))
        self._answers = httptools.HttpResponseParser(_AnswerEvents(self))

    @property
    def fault(self) -> Cut | Stall | None:
        return self.exchange.fault if self.exchange else None

    def begin(self, method: str, target: str, headers: dict[str, str]) -> None:
        """A request's head has passed. One without an answer's body (HEAD) would confuse a parser that goes on."""
        self.exchange = exchange = Exchange(method, target, headers)
        exchange.fault = self._proxy.faults(exchange)
        self._answers = httptools.HttpResponseParser(_AnswerEvents(self))
        self._proxy.exchanges.append(exchange)

    def answered(self) -> None:
        assert self.exchange is not None
        self.exchange.status = self._answers.get_status_code()

    def request(self, data: bytes) -> int:
        self._requests.feed_data(data)
        exchange = self.exchange
        over = self._over(exchange.sent, of_request=True) if exchange else 0
        if exchange and over:
            exchange.sent -= over
        return len(data) - over

    def answer(self, data: bytes) -> int:
        self._answers.feed_data(data)
        exchange = self.exchange
        over = self._over(exchange.received, of_request=False) if exchange else 0
        if exchange and over:
            exchange.received -= over
        return len(data) - over

    def method(self) -> str:
        return str(self._requests.get_method().decode())

    def _over(self, passed: int, *, of_request: bool) -> int:
        fault = self.fault
        return max(0, passed - fault.after) if fault and fault.of_request == of_request else 0


class _RequestEvents:
    def __init__(self, tap: _Tap) -> None:
        self._tap = tap
        self._target = ""
        self._headers: dict[str, str] = {}

    def on_message_begin(self) -> None:
        self._target, self._headers = "", {}

    def on_url(self, url: bytes) -> None:
        self._target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._tap.begin(self._tap.method(), self._target, self._headers)

    def on_body(self, body: bytes) -> None:
        assert self._tap.exchange is not None
        self._tap.exchange.sent += len(body)


class _AnswerEvents:
    def __init__(self, tap: _Tap) -> None:
        self._tap = tap

    def on_headers_complete(self) -> None:
        self._tap.answered()

    def on_body(self, body: bytes) -> None:
        assert self._tap.exchange is not None
        self._tap.exchange.received += len(body)
