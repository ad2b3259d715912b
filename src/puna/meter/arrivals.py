"""When an open loop means to send (contract meter §19). Pure: equal seeds give equal times."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count, islice, takewhile

from puna.meter.plan import CellPlan


def arrivals(plan: CellPlan, requests: int) -> Iterator[float]:
    """Seconds since the start, the first one at 0: `requests` of them, or all within `plan.duration_s`."""
    assert plan.rate
    times = _times(plan, plan.rate)
    if plan.duration_s is not None:
        until = plan.duration_s
        return takewhile(lambda at: at < until, times)
    return islice(times, requests)


def _times(plan: CellPlan, rate: float) -> Iterator[float]:
    """Without end. Constant: 1/r apart; Poisson: exponential with mean 1/r; gamma: shape k, scale 1/(r·k)."""
    if plan.arrival == "constant":
        yield from (index / rate for index in count())
    dice = random.Random(plan.seed)  # noqa: S311 - nothing here is secret
    shape = 1.0 if plan.arrival == "poisson" or plan.shape is None else plan.shape  # k = 1 is Poisson
    at = 0.0
    while True:
        yield at
        at += dice.gammavariate(shape, 1 / (rate * shape))
