"""Answers on their way: `/api/arena/live` and `/api/arena/cancel` (contract arena §2.2, K1)."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import aiohttp
import pytest

from puna.arena.asking import Asker, Question
from puna.arena.conversation import Message
from puna.arena.instances import Instance
from puna.arena.running import Running
from puna.arena.upstreams import Upstreams
from tests.arena.doors import GONE, Door, door
from tests.code.scripted import Scripted, upstream

Json = dict[str, Any]


def ask(*ids: str) -> Json:
    return {"message": "?", "extended": True, "model_instances": [{"model": f"m{name}", "id": name} for name in ids]}


async def until_running(server: Scripted, count: int) -> None:
    async with asyncio.timeout(5):
        while server.running != count:
            await asyncio.sleep(0.01)


async def until_all_said_something(reply: aiohttp.ClientResponse) -> bytes:
    """Both columns have; what they said so far."""
    heard = b""
    async with asyncio.timeout(5):
        while len({json.loads(line)["instance_id"] for line in heard.splitlines() if b'"token"' in line}) < 2:
            heard += await reply.content.readline()
    return heard


async def test_one_column_is_stopped_and_the_others_go_on() -> None:
    server = Scripted(script=["x", 0.01], endless=True)
    async with (
        upstream(server) as (_, endpoint),
        door(endpoint) as opened,
        opened.session.post(f"{opened.url}/api/stream_chat", json=ask("a", "b")) as reply,
    ):
        request_id = reply.headers["x-request-id"]
        heard = await until_all_said_something(reply)
        stopped = await opened.post("/api/arena/cancel", {"request_id": request_id, "instance_id": "a"})
        assert (stopped.status, stopped.json) == (200, {"status": "cancelled"})
        await until_running(server, 1)
        assert (await opened.post("/api/arena/cancel", {"request_id": request_id})).status == 200
        lines = [json.loads(line) for line in (heard + await reply.read()).splitlines() if line]
    done = [line for line in lines if line.get("done")]
    assert [line["instance_id"] for line in done] == ["a", "b"]
    assert all(line["stopped"] and line["timings"]["stopped"] for line in done)
    assert all(line["metrics"]["tokens"] > 0 for line in done)  # what was said stays
    assert server.leavers == 2


async def test_a_column_that_still_waits_can_be_stopped() -> None:
    server = Scripted(script=["x", 0.01], endless=True)
    async with upstream(server) as (_, endpoint), door(endpoint, parallel=1) as opened:
        asked = asyncio.create_task(opened.post("/api/chat", ask("a", "b")))
        await until_running(server, 1)
        (found,) = [work for work in await live(opened) if work["instance_id"] == "b"]
        assert found["state"] == "queued"
        for name in ("b", "a"):
            body = {"request_id": found["request_id"], "instance_id": name}
            assert (await opened.post("/api/arena/cancel", body)).status == 200
        results = (await asked).json["results"]
    assert (results["b"]["response"], results["b"]["stopped"]) == ("", True)
    assert results["a"]["stopped"]


async def live(opened: Door) -> list[Json]:
    async with opened.session.get(f"{opened.url}/api/arena/live") as reply:
        assert reply.headers["content-type"] == "application/x-ndjson"
        found: Json = json.loads(await reply.content.readline())
    running: list[Json] = found["running"]
    return running


async def test_what_is_running_can_be_watched() -> None:
    server = Scripted(script=["x", 0.01], endless=True)
    async with upstream(server) as (_, endpoint), door(endpoint) as opened:
        assert await live(opened) == []
        asked = asyncio.create_task(opened.post("/api/chat", ask("a")))
        await until_running(server, 1)
        async with asyncio.timeout(5):
            while (found := (await live(opened))[0])["state"] != "generating" or not found["tokens"]:
                await asyncio.sleep(0.01)
        assert (found["instance_id"], found["model"]) == ("a", "ma")
        assert found["elapsed_s"] >= 0
        asked.cancel()
        await until_running(server, 0)
        assert await live(opened) == []


async def test_live_sends_a_line_each_second_and_HEAD_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("puna.arena.routes.running.EACH_S", 0.01)
    async with door(GONE) as opened, asyncio.timeout(5):
        assert (await opened.request("HEAD", "/api/arena/live")).status == 200
        async with opened.session.get(f"{opened.url}/api/arena/live") as reply:
            lines = [json.loads(await reply.content.readline()) for _ in range(3)]
    assert lines == [{"running": []}] * 3


async def test_only_what_is_there_can_be_cancelled() -> None:
    async with door(GONE) as opened:
        for body in ({}, {"request_id": 7}, {"request_id": ""}):
            assert (await opened.post("/api/arena/cancel", body)).json["error"].startswith("Invalid request_id")
        assert (await opened.post("/api/arena/cancel", {"request_id": "x"})).told == (404, "Nothing to cancel")
        body = {"request_id": "x", "instance_id": 7}
        assert (await opened.post("/api/arena/cancel", body)).told == (400, "Invalid instance_id: must be a string")


async def test_V5_answers_without_a_request_are_nobodys_business() -> None:
    running = Running()
    question = Question(Instance("a", "secret:1b"), (Message("user", "?"),))
    server = Scripted(script=["x", 0.01], endless=True)
    async with upstream(server) as (_, endpoint), Upstreams({"here": endpoint}) as ends:
        asker = Asker(ends, running, parallel=8, idle_s=20)
        async with aclosing(asker.ask([question])) as events:
            await anext(events)
            await until_running(server, 1)
            assert running.wire() == []
            assert not running.cancel("")
        await asker.close()
