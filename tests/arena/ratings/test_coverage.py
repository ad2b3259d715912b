"""How often 95 % intervals hold the truth, on simulated boards (contract arena §2.5 and §2.16)."""

from __future__ import annotations

import numpy as np
import pytest

from puna.arena.ratings import POINTS, Interval, fit, laplace, posterior
from puna.arena.ratings.fit import to_points
from tests.arena.ratings.boards import played


def covered(interval: Interval, truth: np.ndarray) -> np.ndarray:
    points = to_points(truth - truth.mean())
    return (interval.low <= points) & (points <= interval.high)


def test_G25_laplace_is_honest_at_few_votes() -> None:
    """4 instances, 20 battles, true strengths of sd 400: 92 % in the contract's simulation."""
    rng = np.random.default_rng(7)
    shares = []
    for _ in range(150):
        truth = rng.normal(0, 400 / POINTS, 4)
        shares.append(covered(laplace(fit(played(truth, 20, rng))), truth))
    assert 0.88 <= np.mean(shares) <= 0.96


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("instances", "battles", "sd"), [(2, 5, 400), (4, 20, 400), (6, 60, 400), (6, 60, 104)])
def test_G25_sampled_intervals_hold_the_truth_as_often_as_they_say(instances: int, battles: int, sd: float) -> None:
    """§2.16: between 92 and 97 %."""
    rng = np.random.default_rng(7)
    shares = []
    for _ in range(1000):
        truth = rng.normal(0, sd / POINTS, instances)
        shares.append(covered(posterior(fit(played(truth, battles, rng))).interval(), truth))
    assert 0.92 <= np.mean(shares) <= 0.97
