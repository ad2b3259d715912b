"""Clients that leave, stall, trickle, or come in crowds (threats T23)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from puna.api.ollama.ndjson import ndjson
from puna.errors import PunaError
from puna.serving import streams, wire
from tests.servers import Server

CROWD = 200
LONG = {"model": "M", "prompt": "grass", "options": {"num_predict": 20_000, "num_ctx": 4096}}


@pytest.fixture(scope="module")
def crowded(server: Server) -> Iterator[Server]:
    with Server(server.models, server.home.parent / "crowded", {"PUNA_CONTEXT_LENGTH": "4096"}) as running:
        yield running


def _request(body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    return b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data)


def _active(server: Server) -> int:
    found = server.get("/api/status").json["puna"]
    return int(found["requests_active"] + found["requests_queued"])


async def _until_idle(server: Server, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while active := await asyncio.to_thread(_active, server):
        assert time.monotonic() < deadline, f"{active} requests are still being answered"
        await asyncio.sleep(0.05)


async def test_T23_a_crowd_that_hangs_up_frees_every_slot(crowded: Server) -> None:
    """200 clients, some in mid-stream and most still waiting for a slot, leave at once."""
    await asyncio.to_thread(crowded.post, "/api/generate", {"model": "M"})
    before = {runner.pid for runner in crowded.runners()}
    connections = [await asyncio.open_connection("127.0.0.1", crowded.port) for _ in range(CROWD)]
    for _, writer in connections:
        writer.write(_request(LONG))
    first_lines = {asyncio.create_task(reader.readline()) for reader, _ in connections}
    await asyncio.wait(first_lines, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert await asyncio.to_thread(_active, crowded) > 4
    for _, writer in connections:
        writer.transport.abort()
    await _until_idle(crowded, 2)
    await asyncio.gather(*first_lines, return_exceptions=True)
    began = time.monotonic()
    short = {**LONG, "stream": False, "options": {"num_predict": 2, "num_ctx": 4096}}
    assert (await asyncio.to_thread(crowded.post, "/api/generate", short)).json["done"] is True
    assert time.monotonic() - began < 10
    assert {runner.pid for runner in crowded.runners()} == before
    assert "Traceback" not in crowded.log


async def test_T23_more_requests_than_slots_are_all_answered(crowded: Server) -> None:
    def ask(number: int) -> int:
        body = {
            "model": "M",
            "prompt": f"number {number}",
            "stream": False,
            "options": {"num_predict": 2, "num_ctx": 4096},
        }
        return int(crowded.post("/api/generate", body).json["eval_count"])

    assert await asyncio.gather(*(asyncio.to_thread(ask, number) for number in range(40))) == [2] * 40


async def test_T23_half_open_connections_stop_nobody(crowded: Server) -> None:
    async with AsyncExitStack() as stack:
        for number in range(CROWD):
            _, writer = await asyncio.open_connection("127.0.0.1", crowded.port)
            stack.callback(writer.close)
            head = b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\n"
            writer.write(head if number % 2 else head + b"Content-Length: 1000\r\n\r\n{")
        answer = await asyncio.to_thread(
            crowded.post, "/api/generate", {**LONG, "stream": False, "options": {"num_predict": 2, "num_ctx": 4096}}
        )
        assert answer.json["done"] is True
    assert await asyncio.to_thread(_active, crowded) == 0


async def test_T23_an_upload_that_breaks_off_leaves_nothing(crowded: Server) -> None:
    before = set((crowded.models / "blobs").iterdir())
    _, writer = await asyncio.open_connection("127.0.0.1", crowded.port)
    digest = "ab" * 32
    writer.write(
        b"POST /api/blobs/sha256:%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\nabc" % digest.encode()
    )
    await asyncio.sleep(0.2)
    writer.transport.abort()
    await asyncio.sleep(0.3)
    assert set((crowded.models / "blobs").iterdir()) == before
    assert "Traceback" not in crowded.log


# With the real constants these would take a minute each.


async def test_T23_a_body_that_stops_coming_is_a_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "IDLE_BODY_S", 0.05)
    parts: list[Message] = [{"type": "http.request", "body": b'{"model"', "more_body": True}]

    async def receive() -> Message:
        if parts:
            return parts.pop()
        await asyncio.Event().wait()
        raise AssertionError

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(PunaError, match="did not arrive in time") as caught:
        await wire.read_body(request)
    assert caught.value.status == 408


class _Stream:
    """Lines without end, and whether their source was told to stop."""

    def __init__(self) -> None:
        self.sent = 0
        self.closed = False

    async def lines(self) -> AsyncGenerator[bytes]:
        try:
            while True:
                self.sent += 1
                yield b"{}\n"
        finally:
            self.closed = True


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def _scope() -> dict[str, Any]:
    return {"type": "http", "headers": [], "state": {"log": {}}}


async def test_T23_a_reader_that_stops_reading_loses_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STALLED_CLIENT_S", 0.05)
    source, sent = _Stream(), list[Message]()

    async def send(message: Message) -> None:
        if len(sent) == 3:  # the network takes no more
            await asyncio.Event().wait()
        sent.append(message)

    async with asyncio.timeout(5):
        await ndjson(source.lines())(_scope(), _never, send)
    assert source.closed
    assert source.sent == 3
    assert all(message.get("more_body", True) for message in sent)  # no end: the server closes the connection


async def test_a_client_that_leaves_closes_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    source, scope, leave = _Stream(), _scope(), asyncio.Event()

    async def receive() -> Message:
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        if source.sent == 10:
            leave.set()

    async with asyncio.timeout(5):
        await ndjson(source.lines())(scope, receive, send)
    assert source.closed
    assert scope["state"]["log"] == {"error": "request canceled"}


async def test_an_error_after_the_first_line_is_the_last_line() -> None:
    sent: list[Message] = []

    async def lines() -> AsyncGenerator[bytes]:
        yield b"{}\n"
        raise PunaError("out of grass")

    async def send(message: Message) -> None:
        sent.append(message)

    await ndjson(lines())(_scope(), _never, send)
    assert [message.get("body") for message in sent] == [None, b"{}\n", b'{"error":"out of grass"}\n', b""]
    assert sent[-1]["more_body"] is False
