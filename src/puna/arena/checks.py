"""What else is said of a board once somebody has looked: on how few votes its lead hangs, and what length did.

Contract arena §2.5, fragility and length-corrected win rate. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from puna.arena.ballots import Ballot, Unit
from puna.arena.ratings import Games, fragility
from puna.arena.style import length_corrected_win_rate
from puna.arena.verdicts import BothBad

ENOUGH = 10
"""Comparisons of a player below which nothing is said of its answers' length."""

MANY = 100
"""Players from which nobody looks on how few votes the lead hangs: without each of them all has to be fitted again."""


@dataclass(frozen=True, slots=True)
class Checks:
    """`fragility`: the fewest votes without which another leads; None = more than 20, no rival, or nobody looked.

    `length_corrected`: for a player with enough comparisons its win rate as if all answers were equally long.
    """

    fragility: int | None
    length_corrected: Mapping[str, float]

    @classmethod
    def of(cls, games: Games, ballots: Iterable[Ballot], unit: Unit, both_bad: BothBad) -> Self:
        """`games` are one board's; of the ballots those count that compare two of its players."""
        compared: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        for name, score, longer_by in _comparisons(ballots, frozenset(games.players), unit, both_bad):
            compared[name].append((score, longer_by))
        rates = {
            name: length_corrected_win_rate(*zip(*of, strict=True))
            for name, of in compared.items()
            if len(of) >= ENOUGH
        }
        return cls(fragility(games) if len(games.players) < MANY else None, rates)


def _comparisons(
    ballots: Iterable[Ballot], players: frozenset[str], unit: Unit, both_bad: BothBad
) -> Iterator[tuple[str, float, float]]:
    """(player, y, by how many tokens its answer was longer), twice for every comparison of known lengths."""
    for ballot in ballots:
        seats = {entry.slot: (entry.name(unit), entry.tokens) for entry in ballot.entries}
        for one, other, score in ballot.verdict.scores(both_bad):
            (first, tokens), (second, others) = seats[one], seats[other]
            if first != second and tokens is not None and others is not None and {first, second} <= players:
                yield first, score, tokens - others
                yield second, 1 - score, others - tokens
