"""`/api/chat` and `/api/stream_chat` as scripts see them (contract arena §1.3, §1.7)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from puna.arena.request import Limits
from tests.arena.doors import GONE, Door, door
from tests.code.scripted import LAST, Script, Scripted, upstream

Json = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")

HISTORY = [{"role": "user", "content": "2+2?"}]
COUNTED = {**LAST, "eval_count": 8, "eval_duration": 420_000_000}
METRICS = {"tokens": 8, "duration_s": 0.42, "tokens_per_sec": 19.05}
NOTHING = {"tokens": 0, "duration_s": 0.0, "tokens_per_sec": 0.0}
SCRIPTS: dict[str, Script] = {
    "good:1b": ["4", "."],
    "twin:1b": ["four"],
    "slow:1b": [0.2, "late"],
    "dies:1b": ["half", {"error": "the runner died"}],
}


def played(body: Json) -> Script:
    return SCRIPTS[body["model"]]


def ask(*models: str, **more: Any) -> Json:
    return {"history": HISTORY, "models": list(models), **more}


@pytest.fixture(scope="module")
def model() -> Scripted:
    return Scripted(script=played, last=dict(COUNTED))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(model: Scripted) -> AsyncIterator[Door]:
    async with upstream(model) as (_, endpoint), door(endpoint, GONE) as found:
        yield found


async def test_Q1_one_instance_answers_in_the_short_form(opened: Door) -> None:
    reply = await opened.post("/api/chat", {"history": HISTORY, "model_instances": [{"model": "good:1b"}]})
    made_id = "good_1b__0.7_0.9_40_1.1_-1_0"
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.json == {"model": "good:1b", "instance_id": made_id, "response": "4.", "metrics": METRICS}
    assert list(reply.json) == ["model", "instance_id", "response", "metrics"]


async def test_Q2_several_answer_by_id_in_the_order_of_the_request(opened: Door) -> None:
    asked = [{"model": "slow:1b", "id": "b"}, {"model": "good:1b", "id": "a"}]
    reply = await opened.post("/api/chat", {"history": HISTORY, "model_instances": asked})
    expected = {"b": {"response": "late", "metrics": METRICS}, "a": {"response": "4.", "metrics": METRICS}}
    assert reply.json == {"results": expected}
    assert list(reply.json["results"]) == ["b", "a"]


async def test_Q2_legacy_answers_are_keyed_by_model(opened: Door) -> None:
    reply = await opened.post("/api/chat", ask("good:1b", "twin:1b"))
    assert {key: entry["response"] for key, entry in reply.json["results"].items()} == {
        "good:1b": "4.",
        "twin:1b": "four",
    }
    assert (await opened.post("/api/chat", ask("good:1b"))).json["instance_id"] == "good:1b"


async def test_Q3_the_one_model_that_is_missing_is_404(opened: Door, model: Scripted) -> None:
    model.refusal = (404, "model 'good:1b' not found")
    try:
        reply = await opened.post("/api/chat", ask("good:1b"))
        assert (reply.status, reply.json) == (
            404,
            {"error": "Resource not found", "details": "model 'good:1b' not found"},
        )
        assert (await opened.post("/api/chat", ask("good:1b", "twin:1b"))).status == 500
    finally:
        model.refusal = None


async def test_Q3_any_other_failure_is_500(opened: Door) -> None:
    reply = await opened.post("/api/chat", ask("dies:1b"))
    assert (reply.status, reply.json) == (
        500,
        {"error": "An unexpected error occurred", "details": "the runner died"},
    )


async def test_Q4_a_failure_among_others_stands_in_its_own_entry(opened: Door) -> None:
    reply = await opened.post("/api/chat", ask("dies:1b", "good:1b"))
    assert reply.status == 200
    assert reply.json["results"] == {
        "dies:1b": {"response": "", "metrics": NOTHING, "error": "the runner died"},
        "good:1b": {"response": "4.", "metrics": METRICS},
    }


async def test_Q5_when_all_fail_the_first_reason_is_told_beside_the_results(opened: Door) -> None:
    asked = [{"model": "dies:1b", "id": "a"}, {"model": "good:1b", "id": "b", "endpoint": "second"}]
    reply = await opened.post("/api/chat", {"history": HISTORY, "model_instances": asked})
    assert reply.status == 500
    assert (reply.json["error"], reply.json["details"]) == ("An unexpected error occurred", "the runner died")
    assert [entry["error"] for entry in reply.json["results"].values()] == ["the runner died", "Connection refused"]


async def test_S1_S2_a_stream_is_lines_of_exactly_the_documented_keys(opened: Door) -> None:
    asked = [{"model": "good:1b", "id": "x"}]
    reply = await opened.post("/api/stream_chat", {"history": HISTORY, "model_instances": asked})
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert (reply.headers["cache-control"], reply.headers["x-accel-buffering"]) == ("no-cache", "no")
    assert reply.lines == [
        {"instance_id": "x", "token": "4", "done": False},
        {"instance_id": "x", "token": ".", "done": False},
        {"instance_id": "x", "token": "", "done": True, "metrics": {"tokens": 8, "duration_s": 0.42}},
    ]


async def test_S1_the_headers_do_not_wait_for_the_first_token() -> None:
    loaded = asyncio.Event()
    async with (
        upstream(Scripted(script=[loaded, "x"])) as (_, endpoint),
        door(endpoint) as opened,
        opened.session.post(f"{opened.url}/api/stream_chat", json=ask("m")) as reply,
    ):
        assert reply.status == 200
        loaded.set()
        assert b'"token":"x"' in await reply.read()


async def test_S1_legacy_lines_name_the_model(opened: Door) -> None:
    reply = await opened.post("/api/stream_chat", ask("twin:1b"))
    assert reply.lines[0] == {"model": "twin:1b", "token": "four", "done": False}
    assert list(reply.lines[1]) == ["model", "token", "done", "metrics"]


async def test_stream_true_on_chat_streams(opened: Door) -> None:
    reply = await opened.post("/api/chat", ask("twin:1b", stream=True))
    assert [line["done"] for line in reply.lines] == [False, True]


async def test_S3_a_failure_is_a_last_line_and_the_status_stays(opened: Door) -> None:
    reply = await opened.post("/api/stream_chat", ask("dies:1b", "good:1b"))
    assert reply.status == 200
    mine = [line for line in reply.lines if line["model"] == "dies:1b"]
    assert mine[-1] == {"model": "dies:1b", "token": "", "done": True, "error": "the runner died"}
    assert sum(line["done"] for line in reply.lines) == 2


async def test_S3_what_is_wrong_with_a_request_is_told_before_any_line(opened: Door) -> None:
    reply = await opened.post("/api/stream_chat", ask("good:1b", history=[]))
    assert reply.told == (400, "No messages provided")
    assert reply.headers["content-type"].startswith("application/json")


async def test_S6_each_write_is_whole_lines(opened: Door, model: Scripted) -> None:
    async with opened.session.post(f"{opened.url}/api/stream_chat", json=ask("good:1b", "slow:1b", "twin:1b")) as reply:
        async for piece, _ in reply.content.iter_chunks():
            assert not piece or piece.endswith(b"\n")
            assert all(json.loads(line) for line in piece.splitlines() if line)


@pytest.mark.parametrize("path", ["/api/chat", "/api/stream_chat"])
async def test_K1_a_client_that_leaves_ends_the_upstreams_work(path: str) -> None:
    model = Scripted(script=["x", 0.01], endless=True)
    async with upstream(model) as (_, endpoint), door(endpoint) as opened:
        asked = asyncio.create_task(opened.post(path, ask("a", "b", "c")))
        while model.running < 3:
            await asyncio.sleep(0.01)
        asked.cancel()
        async with asyncio.timeout(1):
            while model.running:
                await asyncio.sleep(0.01)
        assert model.leavers == 3


async def test_K2_a_server_that_is_told_to_stop_ends_answers_that_have_no_end() -> None:
    model = Scripted(script=["x", 0.01], endless=True)
    body = json.dumps(ask("a")).encode()
    head = f"POST /api/stream_chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    async with upstream(model) as (_, endpoint), asyncio.timeout(5):
        async with door(endpoint) as opened:
            _, writer = await asyncio.open_connection("127.0.0.1", opened.port)
            writer.write(head.encode() + body)
            while not model.running:
                await asyncio.sleep(0.01)
        while model.running:
            await asyncio.sleep(0.01)
        writer.close()


async def test_K2_H3_many_open_streams_leave_the_health_alone() -> None:
    model = Scripted(script=["x", 0.05], endless=True)
    async with upstream(model) as (_, endpoint), door(endpoint, parallel=32) as opened:
        streams = [asyncio.create_task(opened.post("/api/stream_chat", ask("m"))) for _ in range(32)]
        while model.running < 32:
            await asyncio.sleep(0.01)
        async with asyncio.timeout(2.5):
            assert (await opened.get("/api/health")).json["status"] == "healthy"
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)


async def test_C5_C7_the_operators_limits_hold(model: Scripted) -> None:
    limits = Limits(messages=2, instances=1)
    async with upstream(model) as (_, endpoint), door(endpoint, limits=limits) as opened:
        assert (await opened.post("/api/chat", ask("a", "b"))).told == (400, "Too many model instances: maximum 1")
        await opened.post("/api/chat", ask("good:1b", history=HISTORY * 5))
    assert len(model.asked[-1]["messages"]) == 2


async def test_C6_an_upstream_that_falls_silent_has_failed() -> None:
    async with upstream(Scripted(script=["x", 30])) as (_, endpoint), door(endpoint, idle_s=0.3) as opened:
        reply = await opened.post("/api/chat", ask("m"))
    assert (reply.status, reply.json["details"]) == (500, "Timed out after 0.3 seconds")
