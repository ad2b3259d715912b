"""The leaderboards of all votes so far, reckoned once for each query and kept (contract arena §2.6 L6).

A first answer has intervals by `laplace`, which take milliseconds. Where exact ones are wanted they are sampled behind
it, one board at a time, and so are the checks of each; a later answer has them. Answers are reckoned in threads, one at
a time; what comes behind has a further one, so that nobody waits for what somebody else wants to know exactly.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from puna.arena.ballots import Ballot, Filters
from puna.arena.board import DEFAULT_FILTERS, DEFAULT_METHOD, Board, Method, checked, quick_boards, refined
from puna.arena.query import Query

T = TypeVar("T")

_KEPT = 16  # querys whose boards are kept
_WAITING = 8  # querys whose boards wait to be refined; who still wants an older one asks again


class Source(Protocol):
    """Where the votes come from: the same tuple as long as nothing has changed. Blocks."""

    def ballots(self) -> tuple[Ballot, ...]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """The boards of one query, and what they were made of."""

    query: Query
    votes: tuple[Ballot, ...]  # all there are
    kept: tuple[Ballot, ...]  # what the filters left
    boards: tuple[Board, ...]

    @property
    def refining(self) -> bool:
        return any(map(self.is_refining, self.boards))

    def is_refining(self, board: Board) -> bool:
        """Better intervals of this board are on their way."""
        return board.refinable(self.query.method)

    @property
    def complete(self) -> bool:
        """No interval and no check is on its way."""
        return not (self.refining or any(board.checkable(self.query.method) for board in self.boards))

    def further(self) -> Standing:
        """With the next board refined or, when all of them are, checked. Of one that is not complete."""
        method = self.query.method
        boards = list(self.boards)
        for index, board in enumerate(boards):
            if board.refinable(method):
                boards[index] = refined(board, method)
                return replace(self, boards=tuple(boards))
        index = next(index for index, board in enumerate(boards) if board.checkable(method))
        boards[index] = checked(boards[index], self.kept, method)
        return replace(self, boards=tuple(boards))

    @classmethod
    def of(cls, query: Query, ballots: tuple[Ballot, ...]) -> Standing:
        kept = tuple(ballot for ballot in ballots if query.filters.keep(ballot))
        return cls(query, ballots, kept, quick_boards(kept, query.filters.min_games, query.method))


class Standings:
    """Belongs to one event loop; `close` before that ends."""

    def __init__(self, votes: Source) -> None:
        self._votes = votes
        self._ballots: tuple[Ballot, ...] = ()
        self._known: OrderedDict[Query, Standing] = OrderedDict()  # of these ballots; the last asked for last
        self._waiting: OrderedDict[Query, None] = OrderedDict()
        self._refining: asyncio.Task[None] | None = None
        self._computing = asyncio.Lock()

    async def standing(self, query: Query) -> Standing:
        """Raises `BadRequest` where a board would be too large, and what the votes raise."""
        async with self._computing:
            await self._read_votes()
            found = self._known.get(query)
            if found is None:
                found = await asyncio.to_thread(Standing.of, query, self._ballots)
            self._keep(found)
        if not found.complete:
            self._refine(query)
        return found

    async def settled(self, query: Query) -> Standing:
        """With the exact intervals, where such are wanted: for what has to be the same each time."""
        while (found := await self.standing(query)).refining:
            assert self._refining is not None
            await asyncio.shield(self._refining)
        return found

    async def boards(self, filters: Filters = DEFAULT_FILTERS, method: Method = DEFAULT_METHOD) -> tuple[Board, ...]:
        return (await self.standing(Query(filters, method))).boards

    async def compute(self, work: Callable[[], T]) -> T:
        """Something else that is long and made of votes, in its turn."""
        async with self._computing:
            return await asyncio.to_thread(work)

    async def close(self) -> None:
        if self._refining is not None:
            self._refining.cancel()
            await asyncio.gather(self._refining, return_exceptions=True)

    async def _read_votes(self) -> None:
        ballots = await asyncio.to_thread(self._votes.ballots)
        if ballots is not self._ballots:
            self._ballots = ballots
            self._known.clear()
            self._waiting.clear()

    def _keep(self, standing: Standing) -> None:
        self._known[standing.query] = standing
        self._known.move_to_end(standing.query)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def _refine(self, query: Query) -> None:
        self._waiting[query] = None
        self._waiting.move_to_end(query)
        while len(self._waiting) > _WAITING:
            self._waiting.popitem(last=False)
        if self._refining is None or self._refining.done():
            self._refining = asyncio.create_task(self._refine_all())

    async def _refine_all(self) -> None:
        """The query that was asked last comes first."""
        while self._waiting:
            query, _ = self._waiting.popitem()
            while (standing := self._known.get(query)) is not None and not standing.complete:
                better = await asyncio.to_thread(standing.further)
                if self._known.get(query) is standing:
                    self._known[query] = better
