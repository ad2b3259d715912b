"""All votes, in the order in which they were given: rows are added, never changed and never deleted (contract §2.11).

Taking a vote back is a row of its own, and so is every change of a turn's likes. What counts is the fold of the rows.
Calls block.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, text

from puna.arena.ballots import Ballot
from puna.arena.storage.ballots import ballot_document, read_ballot
from puna.arena.storage.known import CHUNK, known_ids
from puna.arena.storage.tables import votes
from puna.database import Database

VoteKind = Literal["vote", "undo", "likes"]


@dataclass(frozen=True, slots=True)
class Vote:
    """`ballot` is None where there is nothing to count: an `undo`, and likes that say nothing of two answers."""

    id: str  # UUID4 in hex digits
    kind: VoteKind
    battle: str  # its id; for `likes` whatever names the turn
    at: datetime
    ballot: Ballot | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """What a reader of the vote may want to know: the prompt, how the pair was drawn, pacing, the version, tags, a
    note, and for each slot its instance and the model's digest."""


class Votes:
    """Every method raises `DatabaseFailed`. Threads may share one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted = _Counted()
        self._counting = threading.Lock()

    def append(self, vote: Vote) -> None:
        with self._database.writing() as connection:
            self.append_within(connection, vote)

    def append_within(self, connection: Connection, vote: Vote) -> None:
        """As a part of a transaction: what the vote says of something else is written with it, or neither is."""
        self.alone(connection)
        connection.execute(insert(votes), [_row(vote)])

    def add_many(self, given: Iterable[Vote]) -> int:
        """In one transaction, those whose ids are known left out. Gives how many were new."""
        by_id = {vote.id: vote for vote in given}
        with self._database.writing() as connection:
            self.alone(connection)
            known = known_ids(connection, votes, by_id)
            new = [vote for vote_id, vote in by_id.items() if vote_id not in known]
            self.add_within(connection, new)
        return len(new)

    def add_within(self, connection: Connection, new: Iterable[Vote]) -> None:
        """As a part of a transaction that is `alone` and knows that none of them is there."""
        coming = iter(new)
        while chunk := list(islice(coming, CHUNK)):
            connection.execute(insert(votes), [_row(vote) for vote in chunk])

    def ballots(self) -> tuple[Ballot, ...]:
        """What counts, in the order in which it was given. The same tuple as before where nothing has changed.

        Each row is read once: a call costs what has been added since the last one.
        """
        with self._counting:
            wanted = select(votes.c.seq, votes.c.kind, votes.c.battle, votes.c.ballot)
            with self._database.reading() as connection:
                found = connection.execute(wanted.where(votes.c.seq > self._counted.last).order_by(votes.c.seq))
                for seq, kind, battle, ballot in found.yield_per(CHUNK):
                    self._counted.add(seq, kind, battle, ballot and read_ballot(ballot))
            return self._counted.ballots()

    def counted(self) -> Iterator[Vote]:
        """Of `all` those whose ballots are what `ballots` gives."""
        self.ballots()
        with self._counting:
            counted = self._counted.rows()
        return (vote for seq, vote in self._stored() if seq in counted)

    def all(self) -> Iterator[Vote]:
        """Oldest first. Votes that are given meanwhile may come, too."""
        return (vote for _, vote in self._stored())

    def _stored(self) -> Iterator[tuple[int, Vote]]:
        last = 0
        while True:
            with self._database.reading() as connection:
                wanted = select(votes).where(votes.c.seq > last).order_by(votes.c.seq).limit(CHUNK)
                found = connection.execute(wanted).all()
            if not found:
                return
            for seq, vote_id, kind, battle, at, ballot, details in found:
                yield seq, Vote(vote_id, kind, battle, at, ballot and read_ballot(ballot), details)
                last = seq

    def alone(self, connection: Connection) -> None:
        """Until the transaction ends, nobody else adds votes.

        A row must not turn up behind a later one that somebody has read already.
        """
        if not self._database.is_sqlite:
            connection.execute(text("LOCK TABLE arena_votes IN EXCLUSIVE MODE"))


class _Counted:
    """The fold of the rows so far. A battle counts once for people, and once for judges."""

    def __init__(self) -> None:
        self.last = 0
        self._by_battle: dict[tuple[str, str], tuple[int, Ballot]] = {}
        self._ballots: tuple[Ballot, ...] | None = ()

    def add(self, seq: int, kind: VoteKind, battle: str, ballot: Ballot | None) -> None:
        key = (battle, ballot.voter if ballot else "people")
        self._by_battle.pop(key, None)
        if ballot is not None and kind != "undo":
            self._by_battle[key] = seq, ballot
        self.last, self._ballots = seq, None

    def ballots(self) -> tuple[Ballot, ...]:
        if self._ballots is None:
            self._ballots = tuple(ballot for _, ballot in self._by_battle.values())
        return self._ballots

    def rows(self) -> frozenset[int]:
        return frozenset(seq for seq, _ in self._by_battle.values())


def _row(vote: Vote) -> dict[str, Any]:
    return {
        "id": vote.id,
        "kind": vote.kind,
        "battle": vote.battle,
        "at": vote.at,
        "ballot": vote.ballot and ballot_document(vote.ballot),
        "details": dict(vote.details),
    }
