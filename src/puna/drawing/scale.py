"""From a value to a place, and which values deserve a tick. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LOG_FROM = 10.0  # a range this wide is drawn in equal ratios


class Scale(Protocol):
    def __call__(self, value: float) -> float: ...
    def ticks(self, most: int) -> list[float]: ...


@dataclass(frozen=True, slots=True)
class Linear:
    """`low` lies at `start`, `high` at `end`; `start` may be the larger one, as upwards is on a page."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Round values from `low` to `high`, at most `most + 1`."""
        step = _round_step((self.high - self.low) / max(most, 1))
        first = math.ceil(self.low / step - 1e-9)
        return [step * index for index in range(first, math.floor(self.high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Log:
    """Equal ratios are equally long. All values are positive."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = math.log(max(value, self.low / 2) / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Of 1, 2, 5, 10, 20, … those within, thinned to `most`."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        found = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
        within = [value for value in found if self.low <= value <= self.high]
        return within if len(within) <= most else [value for value in within if f"{value:e}"[0] == "1"] or within[:1]


def from_zero(values: Sequence[float], start: float, end: float) -> Linear:
    """From 0 to a little more than the largest value."""
    high = max(values, default=0.0)
    return Linear(0.0, high * 1.04 if high > 0 else 1.0, start, end)


def around(values: Sequence[float], start: float, end: float) -> Scale:
    """With some air at both ends; in equal ratios where the values span more than a factor of ten."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    if low > 0 and high / low > _LOG_FROM:
        return Log(low / 1.3, high * 1.3, start, end)
    air = (high - low) * 0.12 or abs(high) * 0.2 or 1.0
    return Linear(max(0.0, low - air), high + air, start, end)


def spanning(values: Sequence[float], start: float, end: float, *, least: float = 0.0) -> Linear:
    """All values with a little air, however they lie; `least` is how much it shows where they are all alike."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    air = max((high - low) * 0.06, (least - (high - low)) / 2, abs(high) * 1e-6, 1e-9)
    return Linear(low - air, high + air, start, end)


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in _STEPS if factor * power >= step * (1 - 1e-9))
