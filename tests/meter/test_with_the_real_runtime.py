"""The whole core against Puna's own server: the real engine, a real model, both dialects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from puna.client import Endpoint
from puna.client.timed import TimedClient
from puna.meter.cell import ModelResult
from puna.meter.host import endpoint_info, identify
from puna.meter.listing import described, list_models
from puna.meter.measure import Measurement
from puna.meter.metrics import ttft
from puna.meter.plan import CellPlan, Plan, Settings, Target
from puna.meter.statistics import summary
from puna.meter.throughput import output_throughput
from tests.servers import Server

SETTINGS = Settings(num_predict=8, temperature=0, seed=1)
ASK = CellPlan(prompts=("why is the sky blue?",))
LONG = CellPlan(prompts=("the llamas of the high grassland graze before it rains. " * 8,))
SMOLLM2 = "smollm2:135m"


async def measured(server: Server, plan: Plan, *names: str, native: bool = True) -> list[ModelResult]:
    """The models of these names, in this order."""
    endpoint = Endpoint(port=server.port)
    async with TimedClient(endpoint) as client:
        target = Target("local", endpoint, native)
        listed = {model.name: model for model in await list_models(client, target, print)}
        models = await described(client, target, [listed[name] for name in names])
        measurement = Measurement(client, target, models, plan)
        async for _ in measurement.events():
            pass
        return list(measurement.results())


async def test_a_real_model_is_measured_warm_with_its_load_apart(runtime: Server) -> None:
    (result,) = await measured(runtime, Plan((LONG,), SETTINGS, unique_prompts=True), SMOLLM2)
    (record,) = result.cells[0].records
    assert (record.error, record.server.output_tokens, record.basis) == (None, 8, "server")
    assert result.warm_up is not None
    assert (result.warm_up.server.load_ns or 0) > 3 * (record.server.load_ns or 0)
    assert 0 < (ttft(record) or 0) * 1e9 <= record.end_ns
    assert result.loaded is not None
    assert result.loaded.size > 90_000_000
    assert result.loaded.context_length == 2048
    for key in ("decode", "prefill", "tpot", "latency"):
        found = summary(result.cells[0], key)
        assert found is not None, key
        assert found.median > 0


async def test_rounds_depths_and_users_on_the_real_engine(runtime: Server) -> None:
    cells = (replace(ASK, repeats=2), replace(ASK, depth=500), replace(ASK, concurrency=2))
    chat, embedder = await measured(
        runtime, Plan(cells, SETTINGS, unique_prompts=True), "tiny:latest", "embedder:latest"
    )
    assert (chat.error, embedder.error) == (None, None)
    assert [len(cell.records) for cell in chat.cells] == [2, 1, 2]
    assert all(record.server.output_tokens == 8 for cell in chat.cells for record in cell.records)
    assert chat.cells[1].records[0].server.prompt_tokens == pytest.approx(500, rel=0.15)
    assert (output_throughput(chat.cells[2]) or 0) > 0
    assert {record.kind for cell in embedder.cells for record in cell.records} == {"embed"}
    assert (embedder.cells[0].records[0].vector_length or 0) > 0


async def test_a_model_through_openais_routes(runtime: Server) -> None:
    (result,) = await measured(runtime, Plan((ASK,), SETTINGS), SMOLLM2, native=False)
    (record,) = result.cells[0].records
    assert (record.error, record.server.output_tokens, record.basis) == (None, 8, "server")
    decode = summary(result.cells[0], "decode")
    assert decode is not None
    assert decode.basis == "client"


async def test_puna_is_recognised_as_an_ollama_endpoint(runtime: Server) -> None:
    target = await identify("here", Endpoint(port=runtime.port, path="v1"))
    async with TimedClient(target.endpoint) as client:
        info = await endpoint_info(client, target)
    assert (target.native, info.kind) == (True, "ollama")
    assert info.version
