"""Transfers that several callers wait for: one at work per key, the same progress for all (contract ollama-store §3.4).

A transfer belongs to nobody: it goes on when the caller who started it leaves, and ends when the last one does.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager

from puna.names import Digest

TICK_S = 0.06  # between two looks at a transfer's progress (§3.2)


class Transfer(ABC):
    """One blob on its way. `completed` counts bytes and never goes back; `arrived` is set when all have crossed."""

    def __init__(self, digest: Digest, total: int) -> None:
        self.digest = digest
        self.total = total
        self.completed = 0
        self.arrived = asyncio.Event()

    @abstractmethod
    async def run(self) -> None:
        """Bring the blob over; cancelled when nobody waits any more."""

    def advance(self, completed: int) -> None:
        self.completed = max(self.completed, completed)

    def arrive(self) -> None:
        self.completed = self.total
        self.arrived.set()


class Share:
    """One caller's part in a transfer at work."""

    def __init__(self, transfer: Transfer, task: asyncio.Task[None]) -> None:
        self._transfer = transfer
        self._task = task

    async def crossing(self) -> AsyncGenerator[int]:
        """The bytes completed, now and after each change, until all have crossed. Raises what the transfer raises."""
        shown = -1
        arriving = asyncio.create_task(self._transfer.arrived.wait())
        try:
            while not (self._task.done() or arriving.done()):
                if self._transfer.completed > shown:
                    shown = self._transfer.completed
                    yield shown
                await asyncio.wait((arriving, self._task), timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arriving.cancel()
        if self._task.done():
            self._task.result()
        if shown < self._transfer.total or not shown:
            yield self._transfer.total

    async def end(self) -> None:
        """Wait until the transfer is over, checks included. Raises what it raises."""
        await asyncio.shield(self._task)


class _Running:
    def __init__(self, transfer: Transfer) -> None:
        self.transfer = transfer
        self.task = asyncio.create_task(transfer.run())
        self.callers = 0


class Sharing:
    """The transfers at work, by key."""

    def __init__(self) -> None:
        self._running: dict[Hashable, _Running] = {}

    @asynccontextmanager
    async def join(self, key: Hashable, start: Callable[[], Transfer]) -> AsyncIterator[Share]:
        """Take part in the transfer `key`, which `start` makes where none is at work."""
        running = await self._joinable(key)
        if running is None:
            running = self._running[key] = _Running(start())
        running.callers += 1
        try:
            yield Share(running.transfer, running.task)
        finally:
            running.callers -= 1
            if running.callers == 0:
                running.task.cancel()
                await asyncio.wait((running.task,))
                if not running.task.cancelled():
                    running.task.exception()  # the callers have heard it
                if self._running.get(key) is running:
                    del self._running[key]

    async def _joinable(self, key: Hashable) -> _Running | None:
        while (running := self._running.get(key)) is not None and not running.task.done():
            if running.callers:
                return running
            await asyncio.wait((running.task,))  # its last caller has just left: it must let go of its files first
        return None
