"""What may be said about repeated measurements (contract meter §20). Pure, on the standard library's `statistics`.

Student's quantiles need no library of their own: scipy would be 35 MB for one number per cell, and a table of ten with
the Cornish-Fisher expansion after it is right to three decimals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist, fmean, median, quantiles, stdev
from typing import Literal, Protocol

from puna.meter.cell import Cell
from puna.meter.metrics import METRICS, Formula, Metric
from puna.meter.records import Basis, RequestRecord

Verdict = Literal["better", "worse", "no clear difference"]
Steadiness = Literal["steady", "good", "fair", "unstable"]

PERCENTILES: Mapping[int, int] = {50: 5, 90: 10, 95: 20, 99: 100}
"""How many samples each percentile needs before it is shown."""

CLEAR = 0.05
"""Medians that differ by less are not told apart, however narrow their intervals."""

_BANDS: tuple[tuple[float, Steadiness], ...] = ((0.05, "steady"), (0.10, "good"), (0.20, "fair"))
_T_975 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)  # 1 to 10 degrees of freedom
_Z_975 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric over the requests of one cell, in the metric's unit."""

    n: int  # values
    ok: int  # requests that succeeded
    attempts: int  # requests; retries of one are in its record
    median: float
    mean: float
    minimum: float
    maximum: float
    basis: Basis
    sd: float | None = None  # n - 1; None for a single value, as is the interval
    ci95: tuple[float, float] | None = None
    percentiles: Mapping[int, float] = field(default_factory=dict)  # only those that n allows

    @property
    def cv(self) -> float | None:
        """M30, coefficient of variation: sd / abs(mean)."""
        return None if self.sd is None or self.mean == 0 else self.sd / abs(self.mean)

    @property
    def steadiness(self) -> Steadiness | None:
        """The band of the coefficient of variation; None for a single value."""
        cv = self.cv
        return None if cv is None else next((name for limit, name in _BANDS if cv < limit), "unstable")

    def headline(self, stat: Literal["median", "mean"] = "median") -> float:
        return self.mean if stat == "mean" else self.median


def summary(cell: Cell, key: str) -> Summary | None:
    """The metric `key` of `METRICS` over a cell's requests; None when no request has a value."""
    return summarise(cell.records, METRICS[key])


def summarise(records: Sequence[RequestRecord], metric: Metric) -> Summary | None:
    """Failed requests count as attempts only. One basis for all: the server's where it says anything."""
    good = [record for record in records if record.ok]
    basis, values = _measured(good, metric)
    return describe(values, basis=basis, ok=len(good), attempts=len(records)) if values else None


def describe(values: Sequence[float], *, basis: Basis = "client", ok: int = 0, attempts: int = 0) -> Summary:
    """Raises `statistics.StatisticsError` without values."""
    middle, mean = median(values), fmean(values)
    sd = stdev(values) if len(values) > 1 else None
    ci95 = None
    if sd is not None:
        half = t_975(len(values) - 1) * sd / math.sqrt(len(values))
        ci95 = mean - half, mean + half
    return Summary(
        len(values), ok, attempts, middle, mean, min(values), max(values), basis, sd, ci95, percentiles(values)
    )


def percentiles(values: Sequence[float]) -> dict[int, float]:
    """By linear interpolation; those that need more samples than there are are left out."""
    allowed = [rank for rank, least in PERCENTILES.items() if len(values) >= least]
    if not allowed:
        return {}
    cuts = quantiles(values, n=100, method="inclusive")
    return {rank: cuts[rank - 1] for rank in allowed}


def t_975(freedom: int) -> float:
    """Student's t for a two-sided interval of 95 % (M30): 4.303 for 2 degrees of freedom, 2.776 for 4."""
    if freedom <= len(_T_975):
        return _T_975[freedom - 1]
    return cornish_fisher(_Z_975, freedom)


def cornish_fisher(z: float, freedom: float) -> float:
    """Student's quantile from the normal one, `z`: to 0.2 % from 8 degrees of freedom on."""
    v = freedom
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


class Measured(Protocol):
    """What a verdict needs to know: a `Summary`, or the same read back from a file."""

    @property
    def median(self) -> float: ...
    @property
    def ci95(self) -> tuple[float, float] | None: ...
    @property
    def basis(self) -> Basis: ...


def verdict(this: Measured, other: Measured, *, lower_is_better: bool) -> Verdict:
    """Whether `this` is better: only if the intervals do not overlap and the medians differ by 5 % or more."""
    if this.ci95 is None or other.ci95 is None or this.basis != other.basis:
        return "no clear difference"
    apart = this.ci95[0] > other.ci95[1] or other.ci95[0] > this.ci95[1]
    if not apart or abs(this.median - other.median) < CLEAR * abs(other.median):
        return "no clear difference"
    return "better" if (this.median < other.median) == lower_is_better else "worse"


def _measured(records: Sequence[RequestRecord], metric: Metric) -> tuple[Basis, list[float]]:
    if metric.server is not None:
        values = _values(records, metric.server)
        if values or metric.client is None:
            return "server", values
    assert metric.client is not None
    guessed = metric.counts and any(record.basis == "estimated" for record in records)
    return "estimated" if guessed else "client", _values(records, metric.client)


def _values(records: Sequence[RequestRecord], formula: Formula) -> list[float]:
    found = (formula(record) for record in records)
    return [
        one for value in found if value is not None for one in ([value] if isinstance(value, float | int) else value)
    ]
