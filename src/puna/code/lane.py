"""Who may ask the upstream, and who waits: contract code-completion §1.5 (`code.parallel`, queue), §1.12 X5.

The newest waits least: what an editor asked last is what its user looks at. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from puna.code.failures import Overloaded


class Lane:
    """`width` at once, `depth` waiting for at most `wait_s` seconds."""

    def __init__(self, width: int, depth: int, wait_s: float) -> None:
        self._width = width
        self._depth = depth
        self._wait_s = wait_s
        self._waiting: list[asyncio.Future[None]] = []  # completions, the newest last
        self._patient: deque[asyncio.Future[None]] = deque()  # everything else, the oldest first
        self.running = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting) + len(self._patient)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A completion's turn. With the queue full the one that waits longest has to go. Raises `Overloaded`."""
        if self.running < self._width:
            self.running += 1
        elif not self._depth:
            raise Overloaded
        else:
            if len(self._waiting) >= self._depth:
                self._waiting.pop(0).set_exception(Overloaded())
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await self._wait(turn, self._wait_s)
        try:
            yield
        finally:
            self._leave()

    @asynccontextmanager
    async def patient_slot(self) -> AsyncIterator[None]:
        """The turn of what is no completion: it waits for as long as it takes, and one place is kept free of it."""
        if self.running < self._patient_width and not self._waiting:
            self.running += 1
        else:
            turn = asyncio.get_running_loop().create_future()
            self._patient.append(turn)
            await self._wait(turn, None)
        try:
            yield
        finally:
            self._leave()

    @property
    def _patient_width(self) -> int:
        return max(1, self._width - 1)

    async def _wait(self, turn: asyncio.Future[None], seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await turn
        except TimeoutError:
            if not turn.done() or turn.cancelled():
                raise Overloaded from None  # else the turn came at the very last moment
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._leave()  # the turn came while its owner left: it is the next one's
            raise
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn in self._patient:
                self._patient.remove(turn)

    def _leave(self) -> None:
        self.running -= 1
        while self._waiting and self.running < self._width:
            self._admit(self._waiting.pop())
        while self._patient and self.running < self._patient_width:
            self._admit(self._patient.popleft())

    def _admit(self, turn: asyncio.Future[None]) -> None:
        if not turn.done():
            self.running += 1
            turn.set_result(None)
