"""How late this process's own event loop runs: a meter that is busy with itself stamps late (contract meter §22)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from statistics import quantiles
from time import monotonic_ns
from types import TracebackType
from typing import Self

TICK_NS = 10_000_000


class LoopLag:
    """While entered it adds the loop's lag to `samples`, in nanoseconds, one per tick of 10 ms.

    Every tick that was due counts, also those that passed while the loop was busy: one stall of 50 ms is five late
    ticks, not one.
    """

    def __init__(self, samples: list[int]) -> None:
        self.samples = samples
        self._due_ns = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._due_ns = monotonic_ns() + TICK_NS
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._note(monotonic_ns())  # ticks that the last stall swallowed

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep((self._due_ns - monotonic_ns()) / 1e9)
            self._note(monotonic_ns())

    def _note(self, now_ns: int) -> None:
        while self._due_ns <= now_ns:
            self.samples.append(now_ns - self._due_ns)
            self._due_ns += TICK_NS


def lag_p99(samples: list[int]) -> int:
    """Nanoseconds; the largest where there are few, 0 without any."""
    if len(samples) < 100:
        return max(samples, default=0)
    return int(quantiles(samples, n=100, method="inclusive")[98])
