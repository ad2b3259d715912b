"""A scripted world for the scheduler: runners that load when they are told to, a clock that is turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from puna.engine.policy import Plan
from puna.engine.types import Memory, Props, Weights
from puna.names import Digest

GIB = 2**30


def weights(letter: str = "a", size: int = GIB, **changes: Any) -> Weights:
    fields: dict[str, Any] = {
        "digest": Digest(letter * 64),
        "path": Path(f"/models/{letter}"),
        "size": size,
        "architecture": "llama",
        "train_ctx": 8192,
        "kv_bytes_per_token": 1024,
    }
    return Weights(**(fields | changes))


class FakeRunner:
    def __init__(self, plan: Plan, pid: int) -> None:
        self.plan = plan
        self.pid = pid
        self.driver: Any = object()
        self.props = Props(plan.n_ctx, "<m>", False, False, False, False, False, 49_152)
        self.alive = True
        self._gone = asyncio.Event()

    def memory(self) -> tuple[int, int]:
        return self.plan.memory, 0

    async def exited(self) -> str:
        await self._gone.wait()
        return "signal: killed: "

    def crash(self) -> None:
        self.alive = False
        self._gone.set()


class FakeEffects:
    """`log` tells what happened: `start a`, `stop a`. With `hold`, loads wait for `finish_load`."""

    def __init__(self, *, free: int = 100 * GIB, hold: bool = False) -> None:
        self.log: list[str] = []
        self.runners: list[FakeRunner] = []
        self.plans: list[Plan] = []
        self.free = free
        self.hold = hold
        self.deleted: set[Path] = set()
        self.failures: list[BaseException] = []  # for the next starts, in order
        self.now = 1_000 * 10**9
        self._loads: list[asyncio.Event] = []
        self._timers: list[tuple[int, Callable[[], None]]] = []

    def now_ns(self) -> int:
        return self.now

    def after(self, delay_ns: int, action: Callable[[], None]) -> Callable[[], None]:
        timer = (self.now + delay_ns, action)
        self._timers.append(timer)
        return lambda: self._timers.remove(timer) if timer in self._timers else None

    async def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)
        due = [timer for timer in self._timers if timer[0] <= self.now]
        for timer in due:
            self._timers.remove(timer)
            timer[1]()
        await settled()

    def exists(self, path: Path) -> bool:
        return path not in self.deleted

    async def free_memory(self) -> Memory:
        return Memory(self.free, 100 * GIB)

    async def start(self, plan: Plan, model: str) -> FakeRunner:
        letter = plan.weights.digest.hex[0]
        self.log.append(f"start {letter}")
        self.plans.append(plan)
        if self.hold:
            gate = asyncio.Event()
            self._loads.append(gate)
            try:
                await gate.wait()
            except asyncio.CancelledError:
                self.log.append(f"abort {letter}")
                raise
            finally:
                self._loads.remove(gate)
        if self.failures:
            raise self.failures.pop(0)
        runner = FakeRunner(plan, 100 + len(self.runners))
        self.runners.append(runner)
        return runner

    async def finish_load(self) -> None:
        self._loads[0].set()
        await settled()

    async def stop(self, runner: Any) -> None:
        if runner.alive or not runner._gone.is_set():
            self.log.append(f"stop {runner.plan.weights.digest.hex[0]}")
        else:
            self.log.append(f"bury {runner.plan.weights.digest.hex[0]}")
        runner.crash()

    async def close(self) -> None:
        self.log.append("close")


async def settled() -> None:
    """Let everything that is ready run."""
    for _ in range(30):
        await asyncio.sleep(0)
