"""Clients that type fast: hundreds of requests that are given up. Contract code-completion H7, X1; issue 5, bad input."""

from __future__ import annotations

import asyncio
import json

import pytest

from puna.code.types import CodeConfig
from tests.code.doors import Door, door
from tests.code.scripted import Scripted

BURST = 200
ROUTES = ("/api/generate", "/v1/completions", "/infill", "/completion")


def request(number: int) -> bytes:
    path = ROUTES[number % len(ROUTES)]
    parts = {"input_prefix": f"n{number} = ", "input_suffix": ""} if path == "/infill" else {"prompt": f"n{number} = "}
    body = json.dumps({**parts, "stream": number % 3 == 0}).encode()
    return b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)


async def give_up(opened: Door, number: int, after_s: float) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", opened.port)
    writer.write(request(number))
    await asyncio.sleep(after_s)
    writer.transport.abort()


async def quiet(opened: Door) -> None:
    """Wait until nothing runs and nothing waits, here and at the model."""
    counters = opened.completer.counters
    while opened.model.running or counters.running or counters.waiting:
        await asyncio.sleep(0.01)
        counters = opened.completer.counters


async def test_H7_a_burst_of_cancelled_requests_leaves_nothing_behind() -> None:
    async with door(Scripted(script=["x"], endless=True), CodeConfig(parallel=4, queue=16)) as opened:
        await opened.completer.served()
        before = len(asyncio.all_tasks())
        for first in range(0, BURST, 20):  # 200 in about a second
            await asyncio.gather(*(give_up(opened, number, 0.03) for number in range(first, first + 20)))
        async with asyncio.timeout(10):
            await quiet(opened)
        assert opened.model.most_running <= 4
        opened.model.endless = False
        reply = await opened.post("/api/generate", {"prompt": "after = "})
        assert reply.json["response"]
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) <= before + 4  # connections that are kept open
        assert (await opened.get("/health")).status == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_X1_a_client_that_leaves_stops_the_model(stream: bool) -> None:
    async with door(Scripted(script=["x"], endless=True)) as opened:
        _, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        body = json.dumps({"prompt": "a = ", "stream": stream}).encode()
        writer.write(
            b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        while not opened.model.lines:
            await asyncio.sleep(0.01)
        writer.transport.abort()
        async with asyncio.timeout(5):
            await opened.model.left.wait()
            await quiet(opened)


async def test_H7_a_connection_carries_on_after_an_answer_that_was_superseded() -> None:
    """The older of two questions for one file ends with what it has, as a whole answer."""
    async with door(Scripted(script=["first", 0.3], endless=True)) as opened:
        ask = {"prompt": "a = ", "puna": {"path": "a.py", "session": "s"}}
        older = asyncio.create_task(opened.post("/api/generate", ask))
        while not opened.model.lines:
            await asyncio.sleep(0.01)
        opened.model.endless = False
        newer = await opened.post("/api/generate", {**ask, "prompt": "a = b"})
        ended = (await older).json
        assert (ended["done"], ended["done_reason"]) == (True, "cancel")
        assert newer.json["done_reason"] == "stop"
