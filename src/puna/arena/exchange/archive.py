"""All that can leave the arena, read from the database piece by piece (contract arena §2.11). Calls block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from puna.arena.exchange.records import battle_record, session_record, shelf_record, vote_record
from puna.arena.exchange.report import LAST, Report
from puna.arena.record import BattleRecord
from puna.arena.standings import Standing
from puna.arena.storage.battles import BattleStore
from puna.arena.storage.sessions import Sessions
from puna.arena.storage.shelf import Shelf
from puna.arena.storage.votes import Votes
from puna.database import Database

What = Literal["votes", "sessions", "all"]

_PAGE = 100  # battles that are read at a time


@dataclass(frozen=True, slots=True)
class Archive:
    database: Database
    votes: Votes
    sessions: Sessions
    battles: BattleStore
    rosters: Shelf
    prompts: Shelf

    def records(self, what: What) -> Iterator[dict[str, Any]]:
        """As `records.document` takes them. The votes that were taken back are there, too, with what did it."""
        if what != "sessions":
            yield from map(vote_record, self.votes.all())
        if what != "votes":
            yield from (session_record(session, self.sessions.images(session.id)) for session in self.sessions.all())
        if what == "all":
            yield from map(battle_record, self._all_battles())
            yield from (shelf_record("roster", item) for item in self.rosters.all())
            yield from (shelf_record("prompts", item) for item in self.prompts.all())

    def report(self, what: What, standing: Standing | None) -> Report:
        """`standing`: boards that belong into it, too."""
        found = self.sessions.newest(limit=LAST) if what != "votes" else []
        return Report(
            title={"votes": "Votes", "sessions": "Comparisons", "all": "Arena"}[what],
            standing=standing,
            votes=standing.votes[-LAST:][::-1] if standing else (),
            sessions=[self.sessions.get(session.id) for session in found],
            battles=self.battles.newest(limit=LAST) if what == "all" else (),
        )

    def is_blind(self, what: What) -> bool:
        """Something of it is told by labels only."""
        return what == "all" and any(not record.battle.identities_shown for record in self._all_battles())

    def _all_battles(self) -> Iterator[BattleRecord]:
        """The newest first."""
        page = self.battles.newest(_PAGE)
        while page:
            yield from page
            page = self.battles.newest(_PAGE, page[-1].at)
