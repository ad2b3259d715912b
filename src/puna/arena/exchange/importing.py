"""A file of ours goes into the arena: its pictures looked at, what is known left out, the rest kept (contract §2.11).

All that is new is kept in one transaction, or nothing of it; records that are wrong are told and keep no other one out.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Table

from puna.arena.exchange.archive import Archive
from puna.arena.exchange.parcel import Kind, Parcel, Pile, Rejected, read_file
from puna.arena.exchange.saved import Comparison
from puna.arena.failures import Refused
from puna.arena.pictures import Pictures
from puna.arena.request import Limits
from puna.arena.storage.known import known_ids
from puna.arena.storage.tables import sessions, shelf, votes
from puna.errors import BadRequest

_SHOWN = 100  # lines that were rejected, in the summary
_TABLES: Mapping[Kind, Table] = {"vote": votes, "session": sessions, "roster": shelf, "prompts": shelf}


@dataclass(frozen=True, slots=True)
class Count:
    new: int
    known: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Summary:
    kinds: Mapping[Kind, Count]
    other: int  # records that cannot come back
    rejected: tuple[Rejected, ...]

    @property
    def new(self) -> int:
        return sum(count.new for count in self.kinds.values())

    @property
    def known(self) -> int:
        return sum(count.known for count in self.kinds.values())

    def wire(self) -> dict[str, Any]:
        shown = [{"line": one.line, "record": one.kind, "error": one.error} for one in self.rejected[:_SHOWN]]
        kinds = {
            kind: {"new": count.new, "known": count.known, "rejected": count.rejected}
            for kind, count in self.kinds.items()
        }
        return {
            "new": self.new, "known": self.known, "other": self.other, "rejected": shown,
            "rejected_count": len(self.rejected), "kinds": kinds,
        }  # fmt: skip


async def import_file(body: bytes, archive: Archive, pictures: Pictures, limits: Limits, *, dry_run: bool) -> Summary:
    """With `dry_run` nothing is kept.

    Raises `BadRequest` for what is no file of ours at all, `DatabaseFailed`, and `PunaError` (503) where the decoders
    of pictures are all at work.
    """
    parcel = await asyncio.to_thread(read_file, body, limits)
    await asyncio.to_thread(_leave_out_known, parcel, archive)
    await _check_pictures(parcel.sessions, pictures)
    if not dry_run:
        await asyncio.to_thread(_keep, parcel, archive)
    return _summary(parcel)


def _leave_out_known(parcel: Parcel, archive: Archive) -> None:
    """Their pictures need not be looked at."""
    with archive.database.reading() as connection:
        _leave_out(parcel, connection)


def _leave_out(parcel: Parcel, connection: Connection) -> None:
    for kind, pile in parcel.piles.items():
        pile.leave_out(known_ids(connection, _TABLES[kind], pile.new))


async def _check_pictures(sessions: Pile[Comparison], pictures: Pictures) -> None:
    """As the routes do: what is kept is made anew of what was found in them."""
    for found in [comparison for comparison in sessions.new.values() if comparison.pictures]:
        try:
            fresh = {turn: await pictures.checked(images) for turn, images in found.pictures.items()}
        except (BadRequest, Refused) as error:
            sessions.reject(found.id, f"pictures: {error.message}")
        else:
            sessions.new[found.id] = replace(found, pictures=fresh)


def _keep(parcel: Parcel, archive: Archive) -> None:
    with archive.database.writing() as connection:
        archive.votes.alone(connection)  # nor does anybody else import meanwhile
        _leave_out(parcel, connection)
        archive.votes.add_within(connection, parcel.votes.new.values())
        for comparison in parcel.sessions.new.values():
            archive.sessions.add_within(connection, comparison.session, comparison.pictures)
        for pile, kept in ((parcel.rosters, archive.rosters), (parcel.prompts, archive.prompts)):
            for item in pile.new.values():
                kept.add_within(connection, item)


def _summary(parcel: Parcel) -> Summary:
    piles = parcel.piles
    rejected = sorted((each for pile in piles.values() for each in pile.rejected), key=lambda each: each.line)
    wrong = Counter(each.kind for each in rejected)
    counts = {kind: Count(len(pile.new), pile.known, wrong[kind]) for kind, pile in piles.items()}
    return Summary(counts, parcel.other, tuple(rejected))
