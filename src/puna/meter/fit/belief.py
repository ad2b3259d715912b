"""How far measurements are from a model of speed, and how sure that is. Pure.

Let x = ln(measured / modelled), one for each model that was measured. The x of one machine are taken as normal with
unknown mean and variance, and what is believed of these as normal-inverse-gamma, the conjugate prior: it is worth
`weight` earlier values of mean `mean` and `freedom` earlier deviations of size `spread`. The next x then follows
Student's t, which gives the interval of a prediction (Gelman et al., Bayesian Data Analysis, 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from puna.meter.statistics import cornish_fisher

COVERAGE = 0.90
_Z = NormalDist().inv_cdf((1 + COVERAGE) / 2)


@dataclass(frozen=True, slots=True)
class Interval:
    """The value in the middle and the bounds between which 90 % of measurements are expected."""

    low: float
    middle: float
    high: float

    def times(self, factor: float) -> Interval:
        return Interval(self.low * factor, self.middle * factor, self.high * factor)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Belief:
    mean: float
    weight: float  # 0 = nothing is believed of the mean
    freedom: int  # 8 or more, where the expansion of Student's quantile is right to 0.2 %
    spread: float

    def after(self, ratios: Sequence[float]) -> Belief:
        """The belief once these `measured / modelled` have been seen; those that are no ratio are passed over."""
        logs = [math.log(ratio) for ratio in ratios if 0 < ratio < math.inf]
        if not logs:
            return self
        count, average = len(logs), fmean(logs)
        weight, freedom = self.weight + count, self.freedom + count
        squares = (
            self.freedom * self.spread**2
            + sum((value - average) ** 2 for value in logs)
            + self.weight * count / weight * (average - self.mean) ** 2
        )
        mean = (self.weight * self.mean + count * average) / weight
        return Belief(mean, weight, freedom, math.sqrt(squares / freedom))

    def factor(self) -> Interval | None:
        """The next `measured / modelled`; None where nothing is known of the mean."""
        if not self.weight:
            return None
        half = cornish_fisher(_Z, self.freedom) * self.spread * math.sqrt(1 + 1 / self.weight)
        return Interval(math.exp(self.mean - half), math.exp(self.mean), math.exp(self.mean + half))
