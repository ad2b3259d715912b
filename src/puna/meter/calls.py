"""Measuring from another program, in single steps (contract meter §1): what `puna meter` does without its terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console

from puna.client.client import Json, OllamaClient
from puna.client.timed import TimedClient
from puna.meter.listing import with_details
from puna.meter.measure import Measurement
from puna.meter.options import Options
from puna.meter.plan import ListedModel, Plan, Settings, Target
from puna.meter.records import Kind
from puna.meter.request import Ask, Clock, send
from puna.meter.result import BenchmarkResult, ExportRow, Run, benchmark_result, export_row, run_of
from puna.meter.retrying import retrying
from puna.meter.session import Session


async def fetch_tags(client: OllamaClient) -> list[Json]:
    """The models of `/api/tags` as they are listed. Raises `ClientError`."""
    return await retrying()(client.tags)


async def fetch_model_show(client: OllamaClient, model: str) -> Json:
    """What `/api/show` says. Raises `ClientError`."""
    return await retrying()(client.show, model)


def is_embedding_model(show: Mapping[str, Any]) -> bool:
    return "embedding" in (show.get("capabilities") or ())


async def benchmark_chat_single_run(
    client: TimedClient, model: str, prompt: str, settings: Settings | None = None, *, thinks: bool = False
) -> Run:
    """One request to `/api/chat`. Never raises for what the server does: that is the run's `error`."""
    return await _single(client, "chat", model, prompt, settings, thinks=thinks)


async def benchmark_embed_single_run(
    client: TimedClient, model: str, prompt: str, settings: Settings | None = None
) -> Run:
    """The same for `/api/embed`, whose whole duration is its TTFT."""
    return await _single(client, "embed", model, prompt, settings, thinks=False)


async def benchmark_model(client: TimedClient, model: ListedModel, plan: Plan | None = None) -> BenchmarkResult:
    """All prompts of the plan's first cell, one after another."""
    measurement = Measurement(client, Target(model.target, client.endpoint), [model], plan or Plan())
    async for _ in measurement.events():
        pass
    (result,) = measurement.results()
    return benchmark_result(result)


async def process_single_model(client: TimedClient, model: ListedModel, plan: Plan | None = None) -> ExportRow:
    """The model's row, with what its server says of it; measured only with a plan. Raises `ClientError`."""
    known = with_details(model, await fetch_model_show(client, model.name))
    return export_row(known, None if plan is None else await benchmark_model(client, known, plan))


async def stream_table(
    target: Target, options: Options, console: Console, *, export_only: bool = False
) -> list[ExportRow]:
    """List and measure an endpoint's models; the table is drawn meanwhile, but not when only an export is wanted."""
    session = Session(replace(options, export_only=export_only or options.export_only), [target], console)
    await session.run()
    return session.rows


async def _single(
    client: TimedClient, kind: Kind, model: str, prompt: str, settings: Settings | None, *, thinks: bool
) -> Run:
    ask = Ask(model, kind, prompt, (prompt,), settings or Settings())
    return run_of(await send(client, Target("local", client.endpoint), ask, Clock.now()), thinks=thinks)
