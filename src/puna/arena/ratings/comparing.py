"""Two players against each other, and what could be wrong with a board (contract arena §2.5). Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

from puna.arena.ratings.fit import MEAN, POINTS, Fit, fit
from puna.arena.ratings.games import Games, Row
from puna.arena.ratings.intervals import Z

_ELO_STEP = 16
_FRAGILE = 20  # removed votes after which a lead is called firm
_EQUAL = 1e-7  # of θ: what rounding may make of a tie


@dataclass(frozen=True, slots=True)
class Share:
    """`won` of `of`, with its Wilson 95 % interval; the interval of nothing is 0 to 1."""

    won: float
    of: float
    low: float
    high: float

    @classmethod
    def wilson(cls, won: float, of: float) -> Self:
        if of == 0:
            return cls(won, of, 0.0, 1.0)
        share, spread = won / of, Z * Z / of
        middle = (share + spread / 2) / (1 + spread)
        half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
        return cls(won, of, max(middle - half, 0.0), min(middle + half, 1.0))

    @property
    def unfair(self) -> bool:
        """0.5 is outside: the left slot wins by its place."""
        return not self.low <= 0.5 <= self.high


def left_rate(left_scores: Iterable[float]) -> Share:
    """How often the left of two slots won: its score y of each battle; ties do not count."""
    decisive = [score for score in left_scores if score != 0.5]
    return Share.wilson(sum(score > 0.5 for score in decisive), len(decisive))


def spread(fitted: Fit, first: int, second: int) -> float:
    """s² = V_ii + V_jj - 2V_ij, the variance of θi - θj; positive for two different players."""
    covariance = fitted.covariance
    return float(covariance[first, first] + covariance[second, second] - 2 * covariance[first, second])


def chance_better(fitted: Fit, first: int, second: int) -> float:
    """P(the first is better than the second), by `laplace`; `Draws.better` has the exact one."""
    gap = float(fitted.theta[first] - fitted.theta[second])
    return NormalDist().cdf(gap / math.sqrt(spread(fitted, first, second)))


def votes_to_settle(gap: float) -> int | None:
    """How many votes on one pair tell apart what lies `gap` points apart; None where there is no gap."""
    distance = abs(gap) / POINTS
    if distance < 1e-9:
        return None
    chance = 1 / (1 + math.exp(-distance))
    return math.ceil(Z * Z / (distance * distance * chance * (1 - chance)))


def live_elo(rows: Iterable[Row]) -> dict[str, float]:
    """For display while playing: it depends on the order of the rows and never ranks."""
    points: dict[str, float] = {}
    for row in rows:
        first, second = points.setdefault(row.first, MEAN), points.setdefault(row.second, MEAN)
        expected = 1 / (1 + 10 ** ((second - first) / 400))
        change = _ELO_STEP * (row.score - expected)
        points[row.first], points[row.second] = first + change, second - change
    return points


def fragility(games: Games) -> int | None:
    """The fewest battles whose removal changes the leader, found greedily; None = more than 20, or no rival.

    Each round takes the battle that, by the fit's first derivative, holds most of the lead over the second.
    """
    if not games.battles:
        return None
    fitted = fit(games)
    leader = int(fitted.theta.argmax())
    for removed in range(1, _FRAGILE + 1):
        rival = _best_but(leader, fitted)
        lead = fitted.inverse_hessian[leader] - fitted.inverse_hessian[rival]
        games = games.without(int((fitted.battle_scores @ lead).argmax()))
        fitted = fit(games)
        if fitted.theta[_best_but(leader, fitted)] > fitted.theta[leader] + _EQUAL:
            return removed
    return None


def _best_but(leader: int, fitted: Fit) -> int:
    return max((index for index in range(len(fitted.theta)) if index != leader), key=lambda index: fitted.theta[index])
