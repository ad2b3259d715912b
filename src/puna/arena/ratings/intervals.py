"""How sure a rating is, by formula or by resampling (contract arena §2.5). `draws` has the exact way. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puna.arena.ratings.fit import POINTS, Fit, fit, to_points
from puna.arena.ratings.games import Floats

Z = 1.96
TAILS = (0.025, 0.975)


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """95 % of every player's rating, in points, in the order of the fit's players."""

    low: Floats
    high: Floats

    @property
    def half(self) -> Floats:
        return np.asarray((self.high - self.low) / 2)

    @property
    def ranks(self) -> tuple[int, ...]:
        """1 + the number of players whose lower bound exceeds this one's upper bound."""
        return tuple(1 + int((self.low > high).sum()) for high in self.high)


def laplace(fitted: Fit) -> Interval:
    """The normal distribution that fits the posterior at its mode."""
    return _around(fitted, fitted.covariance)


def sandwich(fitted: Fit) -> Interval:
    """H⁻¹BH⁻¹, as other boards print it: too narrow at few votes."""
    scores = fitted.battle_scores @ fitted.inverse_hessian
    return _around(fitted, scores.T @ scores)


def bootstrap(fitted: Fit, *, seed: int = 7, resamples: int = 1000) -> Interval:
    """Whole battles are resampled and refitted, as other boards do it: too narrow at few votes."""
    games = fitted.games
    counts = np.random.default_rng(seed).multinomial(
        games.battles, np.full(games.battles, 1 / games.battles), size=resamples
    )
    thetas = np.array([fit(games.times(count.astype(np.float64))).theta for count in counts])
    return of_samples(thetas)


def of_samples(thetas: Floats) -> Interval:
    """`thetas`: samples × players."""
    low, high = np.quantile(to_points(thetas), TAILS, axis=0)
    return Interval(low, high)


def _around(fitted: Fit, covariance: Floats) -> Interval:
    half = Z * POINTS * np.sqrt(np.diag(covariance))
    return Interval(fitted.ratings - half, fitted.ratings + half)
