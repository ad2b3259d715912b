"""What the engine is told and what becomes of its answers, with an engine that records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from puna.engine.biases import read_biases
from puna.engine.llama import LlamaDriver
from puna.engine.options import HISTORIC, OPTIONS, merge_options
from puna.engine.types import Completion, SamplingOptions
from puna.errors import EngineError, PunaError, RunnerDied
from tests.engine.conftest import GREEDY, whole
from tests.engine.test_options import ENGINE_RANGES, odd_values


async def test_a_runner_that_is_not_there(tmp_path: Path) -> None:
    driver = LlamaDriver(tmp_path / "none.sock")
    assert not await driver.healthy()
    with pytest.raises(RunnerDied, match="model runner has unexpectedly stopped"):
        await driver.tokenize("a")
    await driver.close()


PROPS: dict[str, Any] = {"default_generation_settings": {"n_ctx": 64}, "media_marker": "<M>"}
MODELS = {"data": [{"meta": {"n_vocab": 9}}]}
LAST = b'data: {"content":"","tokens":[],"stop":true,"stop_type":"eos","timings":{"cache_n":0,"prompt_n":1,"prompt_ms":1,"predicted_n":1,"predicted_ms":1}}\n\n'


@asynccontextmanager
async def recording_engine(folder: Path, completion: Any) -> AsyncIterator[tuple[LlamaDriver, list[dict[str, Any]]]]:
    """An engine that keeps the bodies of `/completion` and answers with `completion(request)`."""
    bodies: list[dict[str, Any]] = []

    async def complete(request: web.Request) -> web.StreamResponse:
        bodies.append(orjson.loads(await request.read()))
        response: web.StreamResponse = await completion(request)
        return response

    async def tokenize(request: web.Request) -> web.Response:
        return web.json_response({"tokens": [1]})

    async def props(request: web.Request) -> web.Response:
        return web.json_response(PROPS)

    async def models(request: web.Request) -> web.Response:
        return web.json_response(MODELS)

    app = web.Application()
    app.add_routes([web.post("/completion", complete), web.post("/tokenize", tokenize)])
    app.add_routes([web.get("/props", props), web.get("/v1/models", models)])
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "engine.sock")).start()
    driver = LlamaDriver(folder / "engine.sock")
    try:
        yield driver, bodies
    finally:
        await driver.close()
        await runner.cleanup()


async def answered(request: web.Request) -> web.Response:
    return web.Response(body=LAST, content_type="text/event-stream")


async def test_T18_the_engine_sees_listed_keys_only(folder: Path) -> None:
    listed = {
        "prompt", "stream", "return_tokens", "response_fields", "n_keep", "seed", "n_predict", "top_k", "top_p",
        "min_p", "typical_p", "repeat_last_n", "temperature", "repeat_penalty", "presence_penalty",
        "frequency_penalty", "stop",
    }  # fmt: skip
    smuggled = ("n_discard", "cache_prompt", "id_slot", "grammar", "json_schema", "samplers", "n_probs", "lora")
    async with recording_engine(folder, answered) as (driver, bodies):
        for name in (*OPTIONS, *HISTORIC, *smuggled):
            for value in odd_values(name):
                try:
                    _, sampling = merge_options({name: value})
                except PunaError:
                    continue
                await whole(driver.complete(Completion("a", sampling)))
        assert len(bodies) > 350
        assert {key for body in bodies for key in body} == listed
        ranges = ENGINE_RANGES | {"repeat_last_n": (0, PROPS["default_generation_settings"]["n_ctx"])}
        for body in bodies:
            for key, (low, high) in ranges.items():
                assert low <= body[key] <= high, (key, body)
            assert all(isinstance(text, str) for text in body["stop"])
        biased = SamplingOptions(logit_bias=read_biases({8: -100}))
        await whole(driver.complete(Completion("a", biased)))
        assert bodies[-1].keys() - listed == {"logit_bias"}
        assert bodies[-1]["logit_bias"] == [[8, -100.0]]


async def test_chunks_that_came_together_are_given_together(folder: Path) -> None:
    token = b'data: {"content":"x","tokens":[1],"stop":false}\n\n'

    async def in_two_writes(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(token * 3 + token[:10])
        await asyncio.sleep(0.05)
        await response.write(token[10:] + LAST)
        return response

    async with recording_engine(folder, in_two_writes) as (driver, _):
        batches = [len(batch) async for batch in driver.complete(Completion("a", GREEDY))]
        assert batches == [3, 2]


async def test_a_stream_that_ends_too_early_is_a_dead_runner(folder: Path) -> None:
    async def cut(request: web.Request) -> web.Response:
        return web.Response(body=b'data: {"content":"x","tokens":[1],"stop":false}\n\n')

    async with recording_engine(folder, cut) as (driver, _):
        with pytest.raises(RunnerDied):
            await whole(driver.complete(Completion("a", GREEDY)))


async def test_a_refusal_keeps_the_engines_status_and_text(folder: Path) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": {"code": 503, "message": "Loading model"}}, status=503)

    async def nonsense(request: web.Request) -> web.Response:
        return web.Response(body=b"<html>", status=502)

    for answer, status, text in ((refuse, 503, "Loading model"), (nonsense, 502, "without saying why")):
        async with recording_engine(folder, answer) as (driver, _):
            with pytest.raises(EngineError, match=text) as caught:
                await whole(driver.complete(Completion("a", GREEDY)))
            assert caught.value.status == status


async def test_closing_the_stream_closes_the_connection_at_once(folder: Path) -> None:
    left = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b'data: {"content":"x","tokens":[1],"stop":false}\n\n')
                await asyncio.sleep(0.001)
        except ConnectionResetError:
            left.set()
            raise

    async with recording_engine(folder, endless) as (driver, _):
        async with aclosing(driver.complete(Completion("a", GREEDY))) as stream:
            await anext(stream)
        async with asyncio.timeout(2):
            await left.wait()
