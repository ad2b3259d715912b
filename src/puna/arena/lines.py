"""The columns of a leaderboard (contract arena §2.6 L2, L4). Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, median

from puna.arena.ballots import Ballot, Entry, Unit
from puna.arena.ratings import Draws, Fit, Interval, Row

Answers = Mapping[str, Sequence[tuple[Ballot, Entry]]]
"""Of each player every answer that a kept ballot judged."""

_FEW_GAMES = 10
_WIDE = 150.0  # points of half an interval


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


def answers_by_player(ballots: Iterable[Ballot], unit: Unit) -> Answers:
    answers = defaultdict(list)
    for ballot in ballots:
        for entry in ballot.entries:
            answers[entry.name(unit)].append((ballot, entry))
    return answers


def games_by_player(rows: Iterable[Row]) -> Counter[str]:
    """Battles, not rows: a ranking of six is one game."""
    return Counter(name for name, _ in {(name, row.battle) for row in rows for name in row.pair})


def lines(rows: Sequence[Row], answers: Answers, fitted: Fit, interval: Interval, draws: Draws) -> tuple[Line, ...]:
    """By rating, best first. Every player of `fitted` has a row."""
    games, results = games_by_player(rows), _results(rows)
    columns = zip(
        fitted.players,
        interval.ranks,
        *(column.tolist() for column in (fitted.ratings, interval.low, interval.high, draws.best())),
        strict=True,
    )
    table = [
        Line(
            rank=rank,
            name=name,
            rating=rating,
            low=low,
            high=high,
            best=best,
            games=games[name],
            wins=results[name, 1.0],
            losses=results[name, 0.0],
            ties=results[name, 0.5],
            bad_rate=fmean(ballot.verdict.kind == "both_bad" for ballot, _ in answers[name]),
            mean_tokens=_mean([entry.tokens for _, entry in answers[name]]),
            median_tokens_per_s=_median([entry.tokens_per_s for _, entry in answers[name]]),
            median_first_token_s=_median([entry.first_token_s for _, entry in answers[name]]),
            last_played=max(ballot.at for ballot, _ in answers[name]),
        )
        for name, rank, rating, low, high, best in columns
    ]
    return tuple(sorted(table, key=lambda line: (-line.rating, line.name)))


def _results(rows: Iterable[Row]) -> Counter[tuple[str, float]]:
    """How many comparisons ended with 1, 0.5 or 0 for a player."""
    results: Counter[tuple[str, float]] = Counter()
    for row in rows:
        results[row.first, row.score] += 1
        results[row.second, 1 - row.score] += 1
    return results


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
