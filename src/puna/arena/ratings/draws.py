"""Samples of all strengths at once, from the exact posterior or its normal approximation (contract arena §2.5). Pure.

Elliptical slice sampling (Murray, Adams & MacKay 2010): each step turns on an ellipse through the current point and a
normal draw, and shrinks its bracket of angles until the point is likely enough. The contract draws from the prior. Here
the ellipse is that of Nishihara, Murray & Adams (2014): the curvature at the mode is mixed in, so that one pair with
hundreds of votes does not hold the others to tiny steps. What is sampled is the exact posterior either way; with 40
players and 999 battles in half the time, and with less noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from puna.arena.ratings.fit import PRIOR, Fit
from puna.arena.ratings.games import Floats, Indices
from puna.arena.ratings.intervals import Interval, of_samples

SAMPLES = 4000
_CHAINS = 10  # side by side in one array: quicker than one long chain
_BURN_IN = 300
_CURVATURE = 0.25  # share of the likelihood's curvature in the ellipse: twice as wide as the posterior, for its tails


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Samples × players of θ, each sample centred."""

    thetas: Floats

    def interval(self) -> Interval:
        return of_samples(self.thetas)

    def better(self, first: int, second: int) -> float:
        """P(the first is better than the second)."""
        return float((self.thetas[:, first] > self.thetas[:, second]).mean())

    def best(self) -> Floats:
        """P(best) of each player; the sum is 1."""
        players = self.thetas.shape[1]
        return np.asarray(np.bincount(self.thetas.argmax(axis=1), minlength=players) / len(self.thetas))


def normal(fitted: Fit, *, seed: int = 7) -> Draws:
    """From the normal approximation: for boards of many votes, and at once."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(fitted.inverse_hessian)
    return _centred(fitted.theta + rng.standard_normal((SAMPLES, len(fitted.theta))) @ root.T)


def posterior(fitted: Fit, *, seed: int = 7, samples: int = SAMPLES) -> Draws:
    """From the exact posterior. Same games, same seed, same samples."""
    rng = np.random.default_rng(seed)
    mode, prior = fitted.theta, PRIOR * np.eye(len(fitted.theta))
    precision = prior + _CURVATURE * (fitted.model.hessian(mode) - prior)
    root = np.linalg.inv(np.linalg.cholesky(precision))  # root.T @ root is the ellipse's covariance

    def height(offset: Floats) -> Floats:
        """The log density that the ellipse leaves out."""
        return np.asarray(fitted.model.objective(mode + offset) + 0.5 * ((offset @ precision) * offset).sum(axis=-1))

    offset = np.zeros((_CHAINS, len(mode)))
    kept = []
    for turn in range(_BURN_IN + -(-samples // _CHAINS)):
        offset = _turn(offset, rng.standard_normal(offset.shape) @ root, height, rng)
        if turn >= _BURN_IN:
            kept.append(offset)
    return _centred(mode + np.concatenate(kept)[:samples])


def _turn(offset: Floats, other: Floats, height: Callable[[Floats], Floats], rng: np.random.Generator) -> Floats:
    """One step of every chain; a chain leaves the loop with its first point above its slice."""
    chains = len(offset)
    slice_height = height(offset) - rng.exponential(size=chains)
    angle = rng.uniform(0, 2 * np.pi, chains)
    low, high = angle - 2 * np.pi, angle.copy()
    moved = offset.copy()
    searching: Indices = np.arange(chains)
    while searching.size:
        turned = angle[searching, None]
        proposal = offset[searching] * np.cos(turned) + other[searching] * np.sin(turned)
        above = height(proposal) > slice_height[searching]
        moved[searching[above]] = proposal[above]
        searching = searching[~above]
        refused = angle[searching]
        low[searching] = np.where(refused < 0, refused, low[searching])
        high[searching] = np.where(refused < 0, high[searching], refused)
        angle[searching] = rng.uniform(low[searching], high[searching])
    return moved


def _centred(thetas: Floats) -> Draws:
    return Draws(thetas - thetas.mean(axis=1, keepdims=True))
