"""What the scheduler may do to the world, as a narrow interface, and the real one: child processes and the clock."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from puna.engine.failures import OutOfMemory
from puna.engine.llama import LlamaDriver
from puna.engine.memory import gpus, system_memory
from puna.engine.policy import Plan, fits_at_all
from puna.engine.runner import Launch, Runner
from puna.engine.sockets import SocketFolder
from puna.engine.types import Memory, Props
from puna.units import format_bytes

log = logging.getLogger(__name__)


class RunnerHandle(Protocol):
    """A started runner as the scheduler and its leases see it."""

    @property
    def driver(self) -> LlamaDriver: ...

    @property
    def props(self) -> Props: ...

    @property
    def pid(self) -> int: ...

    @property
    def alive(self) -> bool: ...

    def memory(self) -> tuple[int, int]: ...

    async def exited(self) -> str: ...


class Effects(Protocol):
    def now_ns(self) -> int:
        """Unix time."""

    def after(self, delay_ns: int, action: Callable[[], None]) -> Callable[[], None]:
        """Call `action` once, later, on the event loop; the answer calls it off."""

    def exists(self, path: Path) -> bool:
        """Whether a file that was loaded once can be loaded again."""

    async def free_memory(self) -> Memory: ...

    async def start(self, plan: Plan, model: str) -> RunnerHandle:
        """Raises `LoadFailed`; cancelling it leaves no process behind."""

    async def stop(self, runner: RunnerHandle) -> None:
        """Idempotent; waits until the process is gone."""

    async def close(self) -> None: ...


async def started(effects: Effects, plan: Plan, model: str, memory: Memory) -> tuple[RunnerHandle, Plan]:
    """A runner for `plan`; where memory ends, one more try with the next smaller automatic context (§5.5)."""
    if not fits_at_all(plan, memory):
        needed, there = format_bytes(plan.memory), format_bytes(memory.total)
        raise OutOfMemory(f"model requires more system memory ({needed}) than is available ({there})")
    try:
        return await effects.start(plan, model), plan
    except OutOfMemory:
        smaller = plan.smaller()
        if smaller is None:
            raise
        log.warning("%s does not fit with a context of %d; trying %d", model, plan.n_ctx, smaller.n_ctx)
        return await effects.start(smaller, model), smaller


class Processes:
    """Runners as child processes. Their sockets live in `folder`, or in a temporary one of their own."""

    def __init__(self, launch: Launch, folder: Path | None = None) -> None:
        self._launch = launch
        self._sockets = SocketFolder(folder)
        self._has_gpu: bool | None = None  # unknown until asked; a machine without one is not asked again

    def now_ns(self) -> int:
        return time.time_ns()

    def after(self, delay_ns: int, action: Callable[[], None]) -> Callable[[], None]:
        return asyncio.get_running_loop().call_later(delay_ns / 1e9, action).cancel

    def exists(self, path: Path) -> bool:
        return path.exists()

    async def free_memory(self) -> Memory:
        memory = system_memory()
        if self._has_gpu is False:
            return memory
        found = await gpus(self._launch.environment)
        self._has_gpu = bool(found)
        return replace(memory, gpus=found)

    async def start(self, plan: Plan, model: str) -> Runner:
        return await Runner.start(plan, model, self._launch, self._sockets.path())

    async def stop(self, runner: RunnerHandle) -> None:
        assert isinstance(runner, Runner)
        await runner.stop()

    async def close(self) -> None:
        self._sockets.close()
