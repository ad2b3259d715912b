"""Health, and the models of the upstream: list, pull, delete (contract arena §1.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from puna.arena import upstreams
from puna.arena.downloads import Downloads
from tests.arena.doors import GONE, Door, door
from tests.client.fake_server import FakeServer, running

Json = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTED = ["z:1b", "a:2b", "embedder:latest"]


@pytest.fixture
def model() -> FakeServer:
    async def tags(request: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": name, "model": name} for name in LISTED]})

    return FakeServer(overrides={"/api/tags": tags})


@pytest_asyncio.fixture(loop_scope="module")
async def opened(model: FakeServer) -> AsyncIterator[Door]:
    async with running(model) as endpoint, door(endpoint, GONE) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def without_upstream() -> AsyncIterator[Door]:
    async with door(GONE) as found:
        yield found


async def test_H1_health_has_exactly_the_documented_keys(opened: Door) -> None:
    reply = await opened.get("/api/health")
    assert (reply.status, reply.json) == (
        200,
        {"status": "healthy", "service": "ollama-arena", "models_available": 3},
    )


async def test_H2_the_service_is_up_without_its_upstream(without_upstream: Door) -> None:
    reply = await without_upstream.get("/api/health")
    assert (reply.status, reply.json) == (
        200,
        {"status": "degraded", "service": "ollama-arena", "models_available": 0},
    )


async def test_H3_an_upstream_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    monkeypatch.setattr(upstreams, "PROBE_S", 0.2)
    async with running(FakeServer(overrides={"/api/tags": hangs})) as endpoint, door(endpoint) as opened:
        async with asyncio.timeout(2.5):
            assert (await opened.get("/api/health")).json["status"] == "degraded"


async def test_H3_questions_at_the_same_time_share_one_look(opened: Door, model: FakeServer) -> None:
    replies = await asyncio.gather(*(opened.get("/api/health") for _ in range(5)))
    assert {reply.json["models_available"] for reply in replies} == {3}
    assert [path for path, _ in model.asked].count("/api/tags") == 1


async def test_M1_models_are_listed_as_the_upstream_has_them(opened: Door) -> None:
    assert (await opened.get("/api/models")).json == {"models": LISTED}


async def test_M2_nothing_is_invented() -> None:
    async def none(request: web.Request) -> web.Response:
        return web.json_response({"models": []})

    async with running(FakeServer(overrides={"/api/tags": none})) as endpoint, door(endpoint) as opened:
        assert (await opened.get("/api/models")).json == {"models": []}


async def test_M2_without_the_upstream_there_is_no_list(without_upstream: Door) -> None:
    reply = await without_upstream.get("/api/models")
    assert (reply.status, reply.json) == (
        500,
        {"error": "An unexpected error occurred", "details": "Connection refused"},
    )


async def test_P1_a_download_goes_on_in_the_background(opened: Door, model: FakeServer) -> None:
    model.registry["new:1b"] = [{"status": "pulling manifest"}, {"status": "success"}]
    reply = await opened.post("/api/pull_model", {"model": "new:1b"})
    assert (reply.status, reply.json) == (200, {"status": "downloading", "model": "new:1b"})
    async with asyncio.timeout(3):
        while "new:1b" not in model.models:
            await asyncio.sleep(0.01)


async def test_P1_P2_a_long_download_is_answered_in_time_and_runs_once(opened: Door, model: FakeServer) -> None:
    model.registry["big:1b"] = [{"status": "pulling manifest"}] * 20
    model.step_s = 0.2
    async with asyncio.timeout(3):
        first, second = await asyncio.gather(*(opened.post("/api/pull_model", {"model": "big:1b"}) for _ in "ab"))
    assert (first.status, second.status, second.json["status"]) == (200, 200, "downloading")
    assert len(model.bodies("/api/pull")) == 1


async def test_P2_a_download_that_fails_at_once_is_500(opened: Door) -> None:
    reply = await opened.post("/api/pull_model", {"model": "unknown:1b"})
    assert (reply.status, reply.json) == (
        500,
        {"error": "An unexpected error occurred", "details": "pull model manifest: file does not exist"},
    )
    assert (await opened.post("/api/pull_model", {"model": "unknown:1b"})).status == 500  # and may be tried again


async def test_P2_a_later_failure_is_logged(
    model: FakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("puna.arena.downloads.PROMPT_S", 0.05)
    model.step_s = 0.1
    async with running(model) as endpoint, upstreams.Upstreams({"first": endpoint}) as ends:
        await Downloads(ends).start("unknown:1b")
        async with asyncio.timeout(3):
            while "download failed" not in caplog.text:
                await asyncio.sleep(0.01)


async def test_P3_a_model_is_deleted_when_the_upstream_says_so(opened: Door, model: FakeServer) -> None:
    reply = await opened.post("/api/delete_model", {"model": "tiny"})
    assert (reply.status, reply.json) == (200, {"status": "deleted", "model": "tiny"})
    assert model.bodies("/api/delete") == [{"model": "tiny"}]


async def test_P3_any_failure_is_the_documented_500(opened: Door) -> None:
    reply = await opened.post("/api/delete_model", {"model": "unknown:1b"})
    assert (reply.status, reply.json) == (
        500,
        {"error": "Failed to delete model", "details": "model 'unknown:1b' not found"},
    )
    reply = await opened.post("/api/delete_model", {"model": "tiny", "endpoint": "second"})
    assert (reply.status, reply.json["details"]) == (500, "Connection refused")


@pytest.mark.parametrize("path", ["/api/pull_model", "/api/delete_model"])
@pytest.mark.parametrize("body", [None, {}, {"model": None}, {"model": "  "}, {"model": 7}])
async def test_P4_a_model_must_be_named(without_upstream: Door, path: str, body: object) -> None:
    assert (await without_upstream.post(path, body)).told == (400, "Model name is required")


async def test_C4_only_configured_endpoints_can_be_named(opened: Door) -> None:
    assert (await opened.get("/api/models?endpoint=second")).status == 500
    for asked in (
        opened.get("/api/models?endpoint=http://x"),
        opened.post("/api/pull_model", {"model": "m", "endpoint": "x"}),
    ):
        assert (await asked).told == (400, "Invalid endpoint: must be one of first, second")
