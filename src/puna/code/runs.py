"""One answer on its way, and everybody who listens to it: contract code-completion §1.12 X1, X3, X4.

The work is a task of its own. It ends when the last listener has left, so a client that hangs up costs nothing from
then on, and two clients that ask the same share one run. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from puna.code.failures import DeadlinePassed, UpstreamFailed
from puna.code.types import Outcome, Piece

Produce = Callable[[], AsyncGenerator[Piece]]


class Run:
    """`so_far` gives the outcome of a run that is broken off."""

    def __init__(self, produce: Produce, so_far: Callable[[], Outcome], deadline_s: float) -> None:
        self.so_far = so_far
        self._pieces: list[Piece] = []
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._listeners = 0
        self._deadline_s = deadline_s
        self._task = asyncio.create_task(self._work(produce))

    @property
    def done(self) -> bool:
        return self._task.done()

    async def _work(self, produce: Produce) -> None:
        try:
            async with asyncio.timeout(self._deadline_s), aclosing(produce()) as pieces:
                async for piece in pieces:
                    self._pieces.append(piece)
                    self.notify()
        except TimeoutError:
            self._error = DeadlinePassed(self._deadline_s)
        except asyncio.CancelledError:
            self._error = UpstreamFailed("the completion was broken off: the server is stopping")
            raise
        except Exception as error:  # whoever listens gets it
            self._error = error
        finally:
            self.notify()

    def notify(self) -> None:
        """Wake everybody who waits."""
        self._news.set()
        self._news = asyncio.Event()

    def join(self) -> None:
        self._listeners += 1

    async def leave(self) -> bool:
        """One listener less; true when it was the last and the work had to be broken off."""
        self._listeners -= 1
        if self._listeners or self._task.done():
            return False
        await self.abort()
        return True

    async def abort(self) -> None:
        """End it, whoever listens."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def piece(self, index: int) -> Piece | None:
        """The piece with that number, None while there is none. Raises what the work failed with."""
        if index < len(self._pieces):
            return self._pieces[index]
        if self._error is not None:
            raise self._error
        return None

    async def news(self) -> None:
        await self._news.wait()


class Listener:
    """One client's ear at a run. `left` tells afterwards whether it was the last to leave an unfinished run."""

    def __init__(self, run: Run, question: object) -> None:
        self._run = run
        self.question = question  # what it asked: a newer question of the session ends it, the same one does not
        self.superseded = False
        self.broke_off = False
        run.join()

    def supersede(self) -> None:
        """End it with what it has."""
        self.superseded = True
        self._run.notify()

    async def pieces(self) -> AsyncGenerator[Piece]:
        """Every piece from the first on. Leave it through `aclosing`."""
        index = 0
        try:
            while not self.superseded:
                piece = self._run.piece(index)
                if piece is None:
                    await self._run.news()
                    continue
                index += 1
                yield piece
                if piece.outcome is not None:
                    return
            yield Piece(outcome=self._run.so_far())
        finally:
            self.broke_off = await self._run.leave()
