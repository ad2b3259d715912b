"""Heads that are too large, too slow or never end, and what stands between requests (threats T14, T23)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psutil
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from puna.serving import limits
from puna.serving.limits import MAX_FIELDS, MAX_HEAD, BoundedProtocol
from tests.servers import Server

CROWD = 500
MIB = 1 << 20
START = b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"POST /api/show HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
GROWTH = 24 * MIB  # of the server's memory while it is sent much more


async def answer_to(port: int, *pieces: bytes, to_the_end: bool = False) -> bytes:
    """The first answer, or all that comes until the server hangs up; what it does not read is not sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send() -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(20):
            return await (reader.read() if to_the_end else _first(reader))
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.transport.abort()


async def _first(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))


@pytest.mark.parametrize(
    "head",
    [START + b"X-A: " + b"x" * MIB + b"\r\n\r\n",
     START + b"X" * MIB + b": a\r\n\r\n",
     b"GET /" + b"x" * MIB + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
     START + b"X-A: bbbb\r\n" * 100_000 + b"\r\n",
     START + b"X-A: b\r\n" * MAX_FIELDS + b"\r\n",
     START + (b"X-A: " + b"x" * 1000 + b"\r\n") * 70 + b"\r\n"],
    ids=["a long value", "a long name", "a long path", "a megabyte of fields", "many fields", "many long fields"],
)  # fmt: skip
async def test_T14_a_large_head_is_a_431(server: Server, head: bytes) -> None:
    answer = await answer_to(server.port, head)
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n"), answer[:200]
    assert await asyncio.to_thread(lambda: server.get("/api/version").status) == 200


async def test_a_head_within_the_limits_is_read(server: Server) -> None:
    large = START + (b"X-A: " + b"x" * 1000 + b"\r\n") * 60 + b"Connection: close\r\n\r\n"
    assert len(large) < MAX_HEAD
    assert (await answer_to(server.port, large)).startswith(b"HTTP/1.1 200 OK")
    many = START + b"X-A: b\r\n" * (MAX_FIELDS - 2) + b"Connection: close\r\n\r\n"
    assert (await answer_to(server.port, many)).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("start", "endless"),
    [(START + b"X-A: ", b"x" * MIB), (START, b"X-A: b\r\n" * (MIB // 8)), (b"GET /", b"x" * MIB),
     (CHUNKED + b"2;", b"x" * MIB), (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-A: b\r\n" * (MIB // 8)),
     (CHUNKED + b"2\r\n{}\r\n0\r\nX-A: ", b"x" * MIB)],
    ids=["value", "fields", "path", "chunk extension", "trailers", "value of a trailer"],
)  # fmt: skip
async def test_T14_what_never_ends_costs_no_memory(server: Server, start: bytes, endless: bytes) -> None:
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    answer = await answer_to(server.port, start, *[endless] * 64)
    assert answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")), answer[:200]
    assert process.memory_info().rss < before + GROWTH


async def test_a_body_of_tiny_chunks_is_read(server: Server) -> None:
    """Their heads are five times the body."""
    body = b'{"model": "nobody"}' + b" " * 20_000
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    answer = await answer_to(
        server.port, CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), chunks, b"0\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 404"), answer[:200]


async def test_T14_500_slow_heads_stop_nobody(server: Server) -> None:
    async with AsyncExitStack() as stack:
        writers = []
        for _ in range(CROWD):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            stack.callback(writer.close)
            writer.write(START)
            writers.append(writer)
        for writer in writers:
            writer.write(b"X-A: b\r\n")
        async with asyncio.timeout(limits.HEAD_S):
            assert await asyncio.to_thread(lambda: server.get("/api/version").status) == 200
            body = {"model": "M", "prompt": "x", "stream": False, "options": {"num_predict": 1}}
            assert await asyncio.to_thread(lambda: server.post("/api/generate", body).status) == 200


# With the real constants these would take 20 seconds each.

SHORT_S = 0.4


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers `/early` before the body has come, anything else after it; `/late` takes longer than a head may."""
    if scope["path"] != "/early":
        while (await receive()).get("more_body"):
            pass
    if scope["path"] == "/late":
        await asyncio.sleep(2 * SHORT_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(limits, "HEAD_S", SHORT_S)
    async with _serving() as number:
        yield number


@asynccontextmanager
async def _serving() -> AsyncIterator[int]:
    config = uvicorn.Config(
        _echo, port=0, http=BoundedProtocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=1
    )
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = server.force_exit = True
        await server.shutdown()


@pytest.mark.parametrize(
    "head",
    [b"", b"\r\n\r\n", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX-A",
     b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET "],
)  # fmt: skip
async def test_T14_a_head_that_does_not_come_ends_the_connection(port: int, head: bytes) -> None:
    whole = head.startswith(b"GET") and b"\r\n\r\n" in head
    assert (b"200 OK" in await answer_to(port, head, to_the_end=True)) is whole


async def test_T14_a_head_that_trickles_ends_the_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nX-A: ")
    async with asyncio.timeout(20):
        while not reader.at_eof():
            writer.write(b"x")
            await asyncio.sleep(SHORT_S / 4)
    writer.transport.abort()


async def test_an_answer_may_take_longer_than_a_head(port: int) -> None:
    request = b"GET /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert (await answer_to(port, request)).endswith(b"ok")


async def test_a_body_that_comes_after_its_answer_is_read_for_as_long_as_it_comes(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n")
    for _ in range(20):  # twice as long as a head may take
        await asyncio.sleep(SHORT_S / 10)
        writer.write(b"x")
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).count(b"200 OK") == 2
    writer.close()


async def test_T14_a_body_that_stops_after_its_answer_ends_the_connection(port: int) -> None:
    request = b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    assert (await reader.readuntil(b"ok")).endswith(b"ok")
    writer.write(b"x")
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()
