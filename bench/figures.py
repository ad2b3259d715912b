"""What is measured: samples of Puna beside samples of its baseline, one number made of both, and its goal. Pure.

Medians, because a busy moment of the machine only lengthens times. Sample `i` of one side was taken next to sample `i`
of the other; the interval resamples such pairs, so that slow drift of the machine cancels out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Goal:
    limit: float
    sense: Literal["at least", "at most"]

    def met(self, value: float) -> bool:
        return value >= self.limit if self.sense == "at least" else value <= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `puna` and `base` are in `unit`; `base` is empty where Puna stands alone."""

    what: str
    case: str
    compare: Literal["ratio", "added", "alone"]  # puna ÷ base, puna - base, puna
    unit: str
    puna: Sequence[float]
    base: Sequence[float] = ()
    goal: Goal | None = None

    @property
    def value(self) -> float:
        return self._of(self.puna, self.base)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The bounds of `value` by a bootstrap of the pairs; None where there is only one sample."""
        count = len(self.puna)
        if count < 2:
            return None
        dice = random.Random(count)
        draws = (dice.choices(range(count), k=count) for _ in range(RESAMPLES))
        values = sorted(self._of(_at(self.puna, draw), _at(self.base, draw)) for draw in draws)
        outside = int(RESAMPLES * (1 - CONFIDENCE) / 2)
        return values[outside], values[-1 - outside]

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.goal.met(self.value)

    def _of(self, puna: Sequence[float], base: Sequence[float]) -> float:
        if self.compare == "ratio":
            return median(puna) / median(base)
        return median(puna) - (median(base) if self.compare == "added" else 0.0)


def _at(samples: Sequence[float], draw: Sequence[int]) -> list[float]:
    return [samples[index] for index in draw] if samples else []
