"""Votes as the leaderboard reads them, and which of them a board counts (contract arena §2.6 L1, L3). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from puna.arena.leaks import Leak
from puna.arena.verdicts import Verdict

Voter = Literal["people", "judge"]
Unit = Literal["instance", "model", "family"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Who sat at a slot, and how the answer came. A measure that is unknown, or was not fair, is None."""

    slot: str
    instance: str
    model: str
    family: str
    tokens: int | None = None
    tokens_per_s: float | None = None
    first_token_s: float | None = None
    leak: Leak | None = None

    def name(self, unit: Unit) -> str:
        match unit:
            case "instance":
                return self.instance
            case "model":
                return self.model
            case "family":
                return self.family


@dataclass(frozen=True, slots=True)
class Ballot:
    """One vote or judgment with all that a filter may ask for. Undone and void battles give none."""

    battle: str
    at: datetime
    verdict: Verdict
    entries: tuple[Entry, ...]  # in the order of the cards
    voter: Voter = "people"
    weight: float = 1.0
    blind: bool = True
    fast: bool = False
    categories: frozenset[str] = frozenset()
    prompt_set: str | None = None
    language: str | None = None

    def players(self, unit: Unit) -> dict[str, str]:
        """Slot → what is rated."""
        return {entry.slot: entry.name(unit) for entry in self.entries}

    def leaked(self, leak: Leak) -> bool:
        return any(entry.leak == leak for entry in self.entries)

    @property
    def left_score(self) -> float | None:
        """y of the left of two slots; None with more slots, or where both were bad."""
        if len(self.entries) != 2:
            return None
        left = self.entries[0].slot
        return next((y if one == left else 1 - y for one, _, y in self.verdict.scores("drop")), None)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a board counts. The default: blind votes of people. Hard leaks are never counted (V8)."""

    voter: Voter | Literal["combined"] = "people"
    blind_only: bool = True
    category: str | None = None
    prompt_set: str | None = None
    language: str | None = None
    since: datetime | None = None
    until: datetime | None = None  # exclusive
    soft_leaks: bool = True  # counted
    fast: bool = True  # counted
    min_games: int = 0

    def keep(self, ballot: Ballot) -> bool:
        """All but `min_games`, which is about players."""
        return (
            self._fair(ballot)
            and self.voter in (ballot.voter, "combined")
            and (self.category is None or self.category in ballot.categories)
            and self.prompt_set in (None, ballot.prompt_set)
            and self.language in (None, ballot.language)
            and (self.since is None or ballot.at >= self.since)
            and (self.until is None or ballot.at < self.until)
        )

    def _fair(self, ballot: Ballot) -> bool:
        return (
            not ballot.leaked("hard")
            and (self.soft_leaks or not ballot.leaked("soft"))
            and (self.fast or not ballot.fast)
            and (ballot.blind or not self.blind_only)
        )
