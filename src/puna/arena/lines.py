"""The columns of a leaderboard (contract arena §2.6 L2, L4). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from statistics import fmean, median
from typing import Any

from puna.arena.ballots import Ballot, Entry, Unit
from puna.arena.ratings import Draws, Fit, Interval

_FEW_GAMES = 10
_WIDE = 150.0  # points of half an interval
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One player. Rates are 0 to 1; a measure that no answer has is None."""

    rank: int
    name: str
    rating: float
    low: float
    high: float
    best: float  # P(best)
    games: int  # battles that gave it a row
    wins: int  # comparisons, as are losses and ties
    losses: int
    ties: int
    bad_rate: float  # answers of battles where all were bad
    mean_tokens: float | None
    median_tokens_per_s: float | None
    median_first_token_s: float | None
    last_played: datetime

    @property
    def win_rate(self) -> float:
        """Ties are half a win."""
        return (self.wins + self.ties / 2) / (self.wins + self.losses + self.ties)

    @property
    def provisional(self) -> bool:
        return self.games < _FEW_GAMES or (self.high - self.low) / 2 > _WIDE


@dataclass(frozen=True, slots=True, eq=False)
class Sureness:
    """What a line says of how sure its rating is; `shift`: points by which all ratings are moved to an anchor."""

    interval: Interval
    draws: Draws
    shift: float = 0.0

    def columns(self) -> list[dict[str, Any]]:
        """In the order of the fit's players."""
        low, high = self.interval.low + self.shift, self.interval.high + self.shift
        columns = zip(self.interval.ranks, low.tolist(), high.tolist(), self.draws.best().tolist(), strict=True)
        return [dict(zip(("rank", "low", "high", "best"), values, strict=True)) for values in columns]


@dataclass(slots=True)
class Answers:
    """Of one player: what is known of every answer that a counted ballot judged."""

    judged: int = 0
    bad: int = 0
    tokens: list[int] = field(default_factory=list)
    tokens_per_s: list[float] = field(default_factory=list)
    first_token_s: list[float] = field(default_factory=list)
    last: datetime = _LONG_AGO

    def add(self, entry: Entry, at: datetime, *, bad: bool) -> None:
        self.judged += 1
        self.bad += bad
        self.last = max(self.last, at)
        if entry.tokens is not None:
            self.tokens.append(entry.tokens)
        if entry.tokens_per_s is not None:
            self.tokens_per_s.append(entry.tokens_per_s)
        if entry.first_token_s is not None:
            self.first_token_s.append(entry.first_token_s)


def answers_by_player(ballots: Iterable[Ballot], unit: Unit) -> Mapping[str, Answers]:
    answers: defaultdict[str, Answers] = defaultdict(Answers)
    for ballot in ballots:
        bad = ballot.verdict.kind == "both_bad"
        for entry in ballot.entries:
            answers[entry.name(unit)].add(entry, ballot.at, bad=bad)
    return answers


def lines(answers: Mapping[str, Answers], fitted: Fit, sureness: Sureness) -> tuple[Line, ...]:
    """By rating, best first. Every player of `fitted` has answers."""
    games = fitted.games
    columns = zip(
        fitted.players,
        (fitted.ratings + sureness.shift).tolist(),
        games.battles_by_player().tolist(),
        *(games.results(score).tolist() for score in (1.0, 0.0, 0.5)),
        sureness.columns(),
        strict=True,
    )
    table = [
        Line(
            name=name,
            rating=rating,
            games=battles,
            wins=wins,
            losses=losses,
            ties=ties,
            bad_rate=answers[name].bad / answers[name].judged,
            mean_tokens=fmean(answers[name].tokens) if answers[name].tokens else None,
            median_tokens_per_s=_median(answers[name].tokens_per_s),
            median_first_token_s=_median(answers[name].first_token_s),
            last_played=answers[name].last,
            **sure,
        )
        for name, rating, battles, wins, losses, ties, sure in columns
    ]
    return tuple(sorted(table, key=lambda line: (-line.rating, line.name)))


def with_sureness(table: Iterable[Line], fitted: Fit, sureness: Sureness) -> tuple[Line, ...]:
    """The same lines, of which one is now more, or otherwise, sure."""
    known = dict(zip(fitted.players, sureness.columns(), strict=True))
    return tuple(replace(line, **known[line.name]) for line in table)


def _median(values: list[float]) -> float | None:
    return median(values) if values else None
