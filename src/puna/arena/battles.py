"""Battles from the draw to the vote (contract arena §2.3): what the routes call.

A turn is played by a task of its own, which goes on when the page leaves; everything else is in the database. A battle
whose task is gone, because the server was stopped, is void.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Connection

from puna.arena.asking import Asker
from puna.arena.battle import Battle, BattleConflict, State, seat
from puna.arena.board import DEFAULT_FILTERS, Method
from puna.arena.catalog import Catalogs
from puna.arena.challenge import Challenge, Opinion
from puna.arena.failures import ArenaError, Refused, UpstreamFailed
from puna.arena.leaks import Leak
from puna.arena.matchmaking import Matchmaker, odds_by
from puna.arena.players import Players
from puna.arena.record import BattleRecord, BattleTurn
from puna.arena.rounds import News, Round, first_news
from puna.arena.standings import Standings
from puna.arena.storage.battles import BattleStore, Step
from puna.arena.storage.votes import Vote, Votes
from puna.arena.verdicts import Verdict
from puna.arena.voting import ballot_of, details_of, find_leaks
from puna.serving.bugs import log_bug

MOST_RUNNING = 64
"""Turns on their way at once: each is asked for by a person, and more would only wait for each other (threats T23)."""

_QUICK = Method(certainty="laplace")


@dataclass(frozen=True, slots=True)
class Rating:
    """What one vote did to one player's; None where there is none."""

    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Voted:
    record: BattleRecord
    ratings: Mapping[str, Rating]  # by what boards call the players


class BattleService:
    """Belongs to one event loop; `close` before that ends.

    Every method raises `NotFound` for an unknown battle, `BattleConflict` where its state does not allow what is asked
    (V3), and `DatabaseFailed`.
    """

    def __init__(
        self,
        asker: Asker,
        catalogs: Catalogs,
        store: BattleStore,
        votes: Votes,
        standings: Standings,
        *,
        default_endpoint: str,
        messages: int,
        matchmaker: Matchmaker | None = None,
    ) -> None:
        """`messages` is how long a conversation may be (C5)."""
        self._asker = asker
        self._catalogs = catalogs
        self._store = store
        self._votes = votes
        self._standings = standings
        self._default_endpoint = default_endpoint
        self._messages = messages
        self._matchmaker = matchmaker or Matchmaker()
        self._drawing = asyncio.Lock()
        self._rounds: dict[str, Round | None] = {}  # the turns on their way; None for one that is about to be
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, challenge: Challenge) -> BattleRecord:
        """Draws who plays and asks them.

        Raises `Refused` with too few players, `UpstreamFailed` where no endpoint says whom it has, and `ArenaError`
        (429) while too many turns are on their way.
        """
        self._check_room()
        record = await self._drawn(challenge, await self._players(challenge))
        await asyncio.to_thread(self._store.add, record)
        self._play(record)
        return record

    async def get(self, battle_id: str) -> BattleRecord:
        """As much of it as may be shown now, for `puna.arena.blind` to word."""
        while True:
            ended = battle_id not in self._rounds  # then what is read from now on has the turn's end in it
            record = await asyncio.to_thread(self._store.get, battle_id)
            if battle_id in self._rounds:
                playing = self._rounds[battle_id]
                return record.showing(playing.shown) if playing else record
            if ended:
                return record.interrupted(time.time())

    async def newest(self, limit: int, before: datetime | None = None) -> Sequence[BattleRecord]:
        """For a list: their last turns are not as they may be shown."""
        found = await asyncio.to_thread(self._store.newest, limit, before)
        return [record if record.id in self._rounds else record.interrupted(time.time()) for record in found]

    async def watch(self, battle_id: str) -> AsyncGenerator[News | State | None]:
        """What of the last turn may be shown, as it comes, and at the end the battle's state. None is a silence."""
        record = await self.get(battle_id)
        if (playing := self._rounds.get(battle_id)) is None:
            for news in first_news(record.turns[-1]):
                yield news
        else:
            async with aclosing(playing.watch()) as coming:
                async for some in coming:
                    yield some
            record = await self.get(battle_id)
        yield record.battle.state

    async def ask(self, battle_id: str, prompt: str) -> BattleRecord:
        """A further turn. Raises `ArenaError` (429), too."""
        self._check_room()
        if battle_id in self._rounds:
            raise BattleConflict("Battle not ready")
        self._rounds[battle_id] = None
        try:
            record = await self._change(battle_id, lambda found: found.interrupted(time.time()).asked(prompt))
        except BaseException:
            del self._rounds[battle_id]
            raise
        self._play(record)
        return record

    async def vote(self, battle_id: str, verdict: Verdict, opinion: Opinion) -> Voted:
        """`verdict` is of this battle's slots."""
        now = time.time()
        leaks, before = await self._leaks(battle_id), await self._ratings()
        record = await self._change(
            battle_id,
            lambda found: found.voted(verdict, leaks, now, opinion),
            _vote,
        )
        after = await self._ratings()
        rated = [seated.rated for seated in record.seats.values()]
        return Voted(record, {name: Rating(before.get(name), after.get(name)) for name in rated})

    async def skip(self, battle_id: str) -> BattleRecord:
        return await self._change(battle_id, BattleRecord.skipped)

    async def reveal(self, battle_id: str) -> BattleRecord:
        leaks = await self._leaks(battle_id)
        return await self._change(battle_id, lambda found: found.revealed(leaks))

    async def undo(self, battle_id: str) -> BattleRecord:
        """Takes the vote back, within 30 seconds."""
        return await self._change(
            battle_id,
            lambda found: found.undone(time.time()),
            lambda found: Vote(uuid4().hex, "undo", found.id, datetime.now(UTC)),
        )

    async def close(self) -> None:
        """Ends all answers that are on their way (K2)."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _check_room(self) -> None:
        if len(self._rounds) >= MOST_RUNNING:
            raise ArenaError(f"Too many battles at once: maximum {MOST_RUNNING}", status=429)

    async def _players(self, challenge: Challenge) -> Players:
        catalog = await self._catalogs.now()
        if not (challenge.instances or catalog.models) and catalog.unreachable:
            raise UpstreamFailed(catalog.unreachable[0]["error"])
        return Players.of(challenge.instances, catalog, self._default_endpoint)

    async def _drawn(self, challenge: Challenge, players: Players) -> BattleRecord:
        fixed = _challenger(challenge, players)
        ballots = (
            () if challenge.strategy in ("uniform", "challenger") else await asyncio.to_thread(self._votes.ballots)
        )
        odds_of = odds_by(challenge.strategy, ballots, fixed)
        async with self._drawing:
            drawn = await asyncio.to_thread(
                self._matchmaker.draw, players.seats.keys(), challenge.slots, odds_of, players.loaded, fixed
            )
        seats = {slot: players.seats[name] for slot, name in seat(drawn.players, self._matchmaker.rng).items()}
        slots = tuple(seats)
        return BattleRecord(
            id=uuid4().hex,
            at=datetime.now(UTC),
            battle=Battle(slots, blind=challenge.blind),
            seats=seats,
            turns=(BattleTurn.of(challenge.prompt, slots, challenge.images),),
            system=challenge.system,
            paced=challenge.paced,
            strategy=challenge.strategy,
            probability=drawn.probability,
            words=players.words,
        )

    def _play(self, record: BattleRecord) -> None:
        playing = self._rounds[record.id] = Round(self._asker, record, messages=self._messages)
        task = asyncio.create_task(self._played(record, playing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _played(self, record: BattleRecord, playing: Round) -> None:
        try:
            turn = await playing.play()
            for slot, answer in turn.answers.items():
                if answer.state == "failed":
                    self._matchmaker.failed(record.seats[slot].rated)
            await self._change(record.id, lambda found: found.answered(turn, time.time()))
        except Exception as error:  # the battle is void when it is read again
            log_bug(error)
        finally:
            del self._rounds[record.id]
            playing.end()

    async def _change(
        self, battle_id: str, step: Step, vote: Callable[[BattleRecord], Vote] | None = None
    ) -> BattleRecord:
        """The battle after `step`, and with it the row that it makes."""

        def also(connection: Connection, record: BattleRecord) -> None:
            if vote is not None:
                self._votes.append_within(connection, vote(record))

        return await asyncio.to_thread(self._store.change, battle_id, step, also)

    async def _leaks(self, battle_id: str) -> Mapping[str, Leak]:
        return await asyncio.to_thread(lambda: find_leaks(self._store.get(battle_id)))

    async def _ratings(self) -> Mapping[str, float]:
        """Of the board that people see first."""
        boards = await self._standings.boards(DEFAULT_FILTERS, _QUICK)
        return {line.name: line.rating for board in boards for line in board.lines}


def _vote(record: BattleRecord) -> Vote:
    ballot = ballot_of(record)
    return Vote(uuid4().hex, "vote", record.id, ballot.at, ballot, details_of(record))


def _challenger(challenge: Challenge, players: Players) -> str:
    """What boards call who meets all others; empty for other strategies. Raises `Refused`."""
    if challenge.strategy != "challenger":
        return ""
    for rated, found in players.seats.items():
        if challenge.challenger in (rated, found.instance.id, found.instance.model):
            return rated
    raise Refused("Invalid challenger: must be the id of one of the instances")
