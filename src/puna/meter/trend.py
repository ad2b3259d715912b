"""Better or worse than before: arrows, and the thirds that give a table its colours (contract meter §10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Arrow = Literal["↑", "↓", "→"]
Third = Literal["good", "middle", "bad"]

STEADY = 0.05
"""A relative change below this is none; exactly this much is one."""


def trend(current: float | None, previous: float | None, *, lower_is_better: bool) -> Arrow | None:
    """Up is improvement. None without a value on both sides."""
    if current is None or previous is None:
        return None
    if previous == 0 or abs(change := (current - previous) / abs(previous)) < STEADY:
        return "→"
    return "↑" if (change < 0) == lower_is_better else "↓"


@dataclass(frozen=True, slots=True)
class Thirds:
    """The nominal 33rd and 66th percentile of what a table shows of one metric."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Thirds | None:
        """None without values."""
        if not values:
            return None
        ascending, n = sorted(values), len(values)
        return cls(ascending[max(0, n // 3 - 1)], ascending[min(n - 1, 2 * n // 3)])

    def place(self, value: float, *, lower_is_better: bool) -> Third:
        if lower_is_better:
            return "good" if value <= self.low else "bad" if value >= self.high else "middle"
        return "good" if value >= self.high else "bad" if value <= self.low else "middle"
