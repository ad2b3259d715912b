"""Ballots, and the votes that hold them, from a few letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from puna.arena.ballots import Ballot, Entry
from puna.arena.storage.votes import Vote
from puna.arena.verdicts import Verdict

START = datetime(2026, 11, 23, tzinfo=UTC)


def ballot(number: int, instances: Sequence[str], choice: str, **more: Any) -> Ballot:
    """Instances are letters: `x` and `X` are two settings of the model x, which is of the family f."""
    entries = tuple(
        Entry(slot, name, name.lower(), "f", tokens=100 * place, tokens_per_s=10.0 * place, first_token_s=0.1 * place)
        for place, (slot, name) in enumerate(zip("ABCDEF", instances, strict=False), start=1)
    )
    slots = [entry.slot for entry in entries]
    return Ballot(f"b{number}", START + timedelta(hours=number), Verdict.of(slots, choice), entries, **more)


def votes(*specs: tuple[str, str, int]) -> list[Ballot]:
    return [
        ballot(number, names, choice)
        for number, (names, choice) in enumerate((n, c) for n, c, k in specs for _ in range(k))
    ]


def kept(ballots: Iterable[Ballot], **details: Any) -> list[Vote]:
    """As they are stored, with ids that are the same in every run."""
    return [
        Vote(UUID(int=number, version=4).hex, "vote", ballot.battle, ballot.at, ballot, details)
        for number, ballot in enumerate(ballots, start=1)
    ]
