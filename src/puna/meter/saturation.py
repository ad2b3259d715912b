"""When an open loop asks for more than the server can do: queues that only grow (contract meter §19). Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import StatisticsError, fmean, linear_regression

from puna.meter.statistics import t_975

AFTER_S = 30.0  # a start is always a slope
WINDOW_S = 120.0
SLOW_TTFT_S = 2.5  # growth below it hurts nobody
_LEAST = 10  # answers; fewer show no trend


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer as it ended: when (seconds since the cell began), how many were in flight, its TTFT in seconds."""

    at_s: float
    in_flight: int
    ttft_s: float


def over_saturated(answers: Sequence[Answered]) -> bool:
    """Whether both the requests in flight and the TTFT rise significantly (95 %) over the last two minutes."""
    if not answers or answers[-1].at_s < AFTER_S:
        return False
    recent = [answer for answer in answers if answer.at_s >= answers[-1].at_s - WINDOW_S]
    if len(recent) < _LEAST or fmean(answer.ttft_s for answer in recent[-_LEAST:]) < SLOW_TTFT_S:
        return False
    times = [answer.at_s for answer in recent]
    return _rises(times, [float(answer.in_flight) for answer in recent]) and _rises(
        times, [answer.ttft_s for answer in recent]
    )


def _rises(times: Sequence[float], values: Sequence[float]) -> bool:
    """Whether the slope of the least-squares line is above zero by Student's t."""
    try:
        slope, intercept = linear_regression(times, values)
    except StatisticsError:  # all at one time
        return False
    freedom = len(times) - 2
    rest = sum((value - intercept - slope * at) ** 2 for at, value in zip(times, values, strict=True))
    middle = fmean(times)
    error = math.sqrt(rest / freedom / sum((at - middle) ** 2 for at in times))
    return slope > t_975(freedom) * error
