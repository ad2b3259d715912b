"""The scheduler with real processes: load, share, crash, unload, close."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from puna.engine.scheduler import Lease, Scheduler
from puna.engine.types import Completion, LoadOptions, SamplingOptions, Weights
from puna.errors import LoadFailed, RunnerDied
from puna.names import Digest, ModelName
from puna.settings import Settings
from tests.engine.conftest import whole
from tests.engine.test_runner import gone, until


def weights(path: Path, letter: str) -> Weights:
    return Weights(Digest(letter * 64), path, path.stat().st_size, "llama", 8192, 1024)


async def lease(scheduler: Scheduler, what: Weights) -> Lease:
    load = LoadOptions(num_ctx=1024, num_thread=1)
    return await scheduler.lease(what, ModelName.parse("tiny"), Digest("f" * 64), {"family": "llama"}, load)


async def test_a_model_lives_crashes_comes_back_and_leaves_nothing_behind(
    tiny_llama: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUNA_RUNTIME_DIR", str(folder))
    before = set(psutil.Process().children())
    scheduler = Scheduler.build(Settings())
    await scheduler.start()
    model = weights(tiny_llama, "a")

    async with await lease(scheduler, model) as first:
        chunks = await whole(first.driver.complete(Completion("a", SamplingOptions(num_predict=3))))
        assert chunks[-1].final is not None
        (row,) = scheduler.snapshot()
        assert (row.busy, row.n_ctx, row.pid, row.details) == (1, 1024, first.runner.pid, {"family": "llama"})
        assert row.memory > 2**20
        assert first.max_embed_tokens == 512

    second = await lease(scheduler, model)
    assert second.runner is first.runner
    with pytest.raises(RunnerDied):  # noqa: PT012 - the lease must see it leave
        async with second:
            os.kill(second.runner.pid, signal.SIGKILL)
            await whole(second.driver.complete(Completion("a", SamplingOptions(num_predict=10_000))))

    async with await lease(scheduler, model) as third:
        assert third.runner.pid != first.runner.pid

    broken = folder / "broken.gguf"
    broken.write_bytes(tiny_llama.read_bytes()[:2_000_000])
    with pytest.raises(LoadFailed, match="file bounds"):
        await lease(scheduler, weights(broken, "b"))

    scheduler.unload(model.digest)
    assert await until(lambda: gone(third.runner.pid))
    async with await lease(scheduler, model) as last:
        pass
    await scheduler.close()
    assert gone(last.runner.pid)
    assert [path.name for path in folder.iterdir()] == ["broken.gguf"]
    assert set(psutil.Process().children()) <= before
