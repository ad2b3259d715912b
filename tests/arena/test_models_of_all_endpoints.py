"""What the page is told about limits, models and downloads (contract arena §2.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from puna import __version__
from puna.arena.downloads import KEPT, MOST
from puna.arena.request import Limits
from tests.arena.doors import GONE, Door, door
from tests.client.fake_server import FakeServer, running

Json = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTED: list[Json] = [
    {
        "name": "told:1b",
        "modified_at": "2026-01-01T00:00:00Z",
        "size": 1024,
        "digest": "ab" * 32,
        "details": {
            "family": "llama", "parameter_size": "1B", "quantization_level": "Q4_0", "context_length": 2048
        },
        "capabilities": ["completion", "vision"],
    },
    {"name": "shy:2b", "digest": "cd" * 32, "size": "many", "details": None},
    {"name": "broken"},
    {"digest": "no name"},
]  # fmt: skip
LOADED: list[Json] = [{"name": "told:1b", "size": 1000, "size_vram": 250}, {"name": "shy:2b", "size": 10}]


@pytest.fixture
def model() -> FakeServer:
    async def tags(request: web.Request) -> web.Response:
        return web.json_response({"models": LISTED})

    async def ps(request: web.Request) -> web.Response:
        return web.json_response({"models": LOADED})

    shy = {"capabilities": ["completion"], "model_info": {"x.context_length": 512, "x.block_count": 3}}
    return FakeServer(models={"shy:2b": shy}, overrides={"/api/tags": tags, "/api/ps": ps})


@pytest_asyncio.fixture(loop_scope="module")
async def opened(model: FakeServer) -> AsyncIterator[Door]:
    async with running(model) as endpoint, door(endpoint, GONE) as found:
        yield found


async def test_the_limits_are_those_of_the_operator() -> None:
    async with door(GONE, limits=Limits(messages=6, instances=3), max_body=5000) as opened:
        found = (await opened.get("/api/arena/config")).json
    assert found["version"] == __version__
    assert found["limits"] == {
        "columns": 6, "instances": 3, "messages": 6, "body_bytes": 5000, "images": 4, "image_bytes": 10 << 20
    }  # fmt: skip
    assert found["endpoints"] == [{"name": "first", "url": "http://127.0.0.1:1"}]
    assert found["defaults"]["top_k"] == 40
    assert found["ranges"]["temperature"] == {"min": 0.01, "max": 2.0, "integer": False}
    assert found["ranges"]["seed"] == {"min": 0, "max": 2**53 - 1, "integer": True}
    assert list(found["ranges"]) == list(found["defaults"])


async def test_models_come_with_what_is_known_about_them(opened: Door) -> None:
    reply = await opened.get("/api/arena/models")
    told, shy, broken = reply.json["models"]
    assert told == {
        "name": "told:1b", "endpoint": "first", "size": 1024, "family": "llama", "parameter_size": "1B",
        "quantization": "Q4_0", "context_length": 2048, "capabilities": ["completion", "vision"], "digest": "ab" * 32,
        "modified_at": "2026-01-01T00:00:00Z", "loaded": 0.25,
    }  # fmt: skip
    assert (shy["size"], shy["capabilities"], shy["context_length"], shy["loaded"]) == (None, ["completion"], 512, 0)
    assert (broken["capabilities"], broken["context_length"], broken["loaded"]) == ([], None, None)


async def test_an_endpoint_that_is_down_is_named_and_the_others_are_listed(opened: Door) -> None:
    reply = await opened.get("/api/arena/models")
    assert reply.status == 200
    assert reply.json["unreachable"] == [
        {"endpoint": "second", "url": "http://127.0.0.1:1", "error": "Connection refused"}
    ]
    assert len(reply.json["models"]) == 3


async def test_a_model_is_asked_about_once(opened: Door, model: FakeServer) -> None:
    for _ in range(3):
        await opened.get("/api/arena/models")
    asked = [body["model"] for body in model.bodies("/api/show")]
    assert (asked.count("told:1b"), asked.count("shy:2b")) == (0, 1)


async def pulls(opened: Door) -> list[Json]:
    found: list[Json] = (await opened.get("/api/arena/pulls")).json["pulls"]
    return found


async def until(opened: Door, status: str) -> Json:
    async with asyncio.timeout(5):
        while (found := (await pulls(opened))[0])["status"] != status:
            await asyncio.sleep(0.02)
    return found


async def test_a_download_tells_how_far_it_is(opened: Door, model: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("puna.arena.downloads.PROMPT_S", 0.05)
    layer = {"status": "pulling ab", "digest": "sha256:ab", "total": 100}
    model.registry["new:1b"] = [
        {"status": "pulling manifest"}, {**layer, "completed": 10}, {**layer, "completed": 60},
        {"status": "pulling cd", "digest": "sha256:cd", "total": 20}, {"status": "success"},
    ]  # fmt: skip
    model.step_s = 0.1
    assert await pulls(opened) == []
    assert (await opened.post("/api/pull_model", {"model": "new:1b"})).status == 200
    seen = [(await pulls(opened))[0]]
    while seen[-1]["status"] == "downloading":
        await asyncio.sleep(0.02)
        seen += await pulls(opened)
    assert {(step["completed"], step["total"]) for step in seen} >= {(None, None), (60, 100), (60, 120)}
    assert any(step["bytes_per_s"] for step in seen)
    last = {"status": "done", "detail": "success", "bytes_per_s": None, "error": None}
    assert seen[-1] == {"model": "new:1b", "endpoint": "first", "completed": 60, "total": 120, **last}


async def test_P2_a_later_failure_stands_in_the_list(
    opened: Door, model: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("puna.arena.downloads.PROMPT_S", 0.05)
    model.step_s = 0.1
    await opened.post("/api/pull_model", {"model": "unknown:1b"})
    assert (await until(opened, "failed"))["error"] == "pull model manifest: file does not exist"
    await opened.post("/api/pull_model", {"model": "unknown:1b"})
    assert [pull["status"] for pull in await pulls(opened)] == ["downloading"]  # tried again


async def test_a_download_can_be_cancelled(opened: Door, model: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("puna.arena.downloads.PROMPT_S", 0.05)
    model.registry["big:1b"] = [{"status": "pulling manifest"}] * 200
    model.step_s = 0.05
    await opened.post("/api/pull_model", {"model": "big:1b"})
    reply = await opened.post("/api/arena/pulls/cancel", {"model": "big:1b", "endpoint": "first"})
    assert (reply.status, reply.json) == (200, {"status": "cancelled"})
    assert (await pulls(opened))[0]["status"] == "cancelled"
    async with asyncio.timeout(2):
        await model.left.wait()  # the upstream's work is over
    assert (await opened.post("/api/arena/pulls/cancel", {"model": "big:1b"})).told == (404, "No such download")
    assert (await opened.post("/api/arena/pulls/cancel", {})).told == (400, "Model name is required")


async def test_T23_a_few_downloads_at_once_are_enough(
    opened: Door, model: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("puna.arena.downloads.PROMPT_S", 0.05)
    model.step_s = 0.05
    for number in range(MOST + 1):
        model.registry[f"m:{number}"] = [{"status": "pulling manifest"}] * 200
    replies = [await opened.post("/api/pull_model", {"model": f"m:{number}"}) for number in range(MOST + 1)]
    assert [reply.status for reply in replies] == [200] * MOST + [429]
    assert replies[-1].json["error"] == "Too many downloads"
    await opened.post("/api/arena/pulls/cancel", {"model": "m:0"})
    assert (await opened.post("/api/pull_model", {"model": f"m:{MOST}"})).status == 200


async def test_T23_the_list_of_old_downloads_is_bounded(opened: Door, model: FakeServer) -> None:
    for number in range(KEPT + 3):
        await opened.post("/api/pull_model", {"model": f"unknown:{number}"})
    found = [pull["model"] for pull in await pulls(opened)]
    assert found == [f"unknown:{number}" for number in range(KEPT + 2, 2, -1)]
