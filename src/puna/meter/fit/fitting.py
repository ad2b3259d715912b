"""`puna meter fit` without a terminal: look, measure the memory, predict."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psutil

from puna.client import ClientError, OllamaClient
from puna.engine import memory
from puna.engine.types import Memory
from puna.meter.fit import bandwidth, experience
from puna.meter.fit.answer import Answer
from puna.meter.fit.description import Description, from_registry, from_server
from puna.meter.fit.predict import Observation, Processor, predict
from puna.meter.fit.room import fit
from puna.meter.history import HistoryRow
from puna.names import ModelName
from puna.registry import Registries

_BUSY_S = 0.2


async def described(client: OllamaClient, model: str, registries: Registries, *, insecure: bool) -> Description:
    """Of the server where it has the model, else of its registry. Raises `PunaError`."""
    name = ModelName.parse(model)
    return await from_server(client, model) or await from_registry(name, registries, insecure=insecure)


async def seen(client: OllamaClient, rows: Sequence[HistoryRow]) -> list[Observation]:
    """What was measured here before; nothing where the server does not say. Never raises."""
    try:
        return await experience.observations(client, list(experience.measured_here(rows)))
    except ClientError:
        return []


async def answered(description: Description, seen: Sequence[Observation], free: Memory, context: int = 0) -> Answer:
    """`context`: tokens, 0 = as many as the model was trained for. Takes half a second of all cores."""
    busy = await asyncio.to_thread(psutil.cpu_percent, _BUSY_S) / 100  # before this very process keeps them so
    found = fit(description.anatomy, free, context)
    if not found.fits or found.place == "GPU and memory":
        return Answer(description, found, None, None, busy)
    speed = None if found.place == "GPU" else await asyncio.to_thread(bandwidth.measure, free.free)
    processor = Processor(speed.median, speed.threads) if speed else None
    prediction = predict(description.anatomy, processor, found.context, seen)
    return Answer(description, found, speed, prediction, busy)


async def free_memory(environment: dict[str, str]) -> Memory:
    """The system's and the GPUs', which the engine is asked for in a child process with this `environment`."""
    system = memory.system_memory()
    return Memory(system.free, system.total, await memory.gpus(environment))
