"""Real runners for tests: each test has its own, on a socket in a folder of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from puna.engine.policy import Limits, Plan, make_plan
from puna.engine.runner import Launch, Runner
from puna.engine.types import Chunk, LoadOptions, Memory, SamplingOptions, Weights
from puna.environment import child_environment
from puna.names import Digest

StartRunner = Callable[..., Coroutine[Any, Any, Runner]]


GREEDY = SamplingOptions(temperature=0, num_predict=8)


async def whole(stream: AsyncIterator[list[Chunk]]) -> list[Chunk]:
    """All chunks of a stream. An empty batch would make a consumer work for nothing."""
    chunks = []
    async for batch in stream:
        assert batch
        chunks += batch
    return chunks


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for a socket's path, which pytest's own folders are not."""
    path = Path(tempfile.mkdtemp(prefix="puna-test-"))
    yield path
    shutil.rmtree(path)


def plan_for(model: Path, *, slots: int = 4, num_ctx: int = 2048, **more: Any) -> Plan:
    more = {"num_thread": 1} | more  # the engine's threads spin: on a busy machine one is faster than two
    load = LoadOptions(num_ctx=num_ctx, **{name: more.pop(name) for name in list(more) if name in _LOAD})
    digest = Digest(f"{abs(hash(model)):064x}"[-64:])
    weights = Weights(digest, model, model.stat().st_size, "llama", 8192, 1024, **more)
    return make_plan(weights, load, Memory(2**40, 2**40), Limits(num_parallel=slots))


_LOAD = frozenset(LoadOptions.__slots__)


@pytest.fixture
async def start_runner(folder: Path) -> AsyncIterator[StartRunner]:
    runners: list[Runner] = []

    async def start(model: Path, launch: Launch | None = None, **options: Any) -> Runner:
        launch = launch or Launch(environment=child_environment())
        runner = await Runner.start(plan_for(model, **options), "tiny:latest", launch, folder)
        runners.append(runner)
        return runner

    yield start
    for runner in runners:
        await runner.stop()
