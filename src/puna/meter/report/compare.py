"""What became faster and what slower between two measurements (contract meter §20, §24 row 10, C2). Pure.

A difference is only told as one when it is clear. A condition is stricter in one way and milder in another: its own
limit replaces the 5 %, and intervals that overlap excuse any change; where there are no intervals nothing excuses it,
so that measuring once is no way around a check.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from puna.meter.metrics import METRICS
from puna.meter.report.alike import Pair, missing, pairs
from puna.meter.report.conditions import Condition
from puna.meter.report.schema import Figure, Model
from puna.meter.report.sides import Side
from puna.meter.statistics import verdict

USUAL = ("ttft", "decode", "prefill", "embedding_rate")
"""The metrics that a comparison shows without being asked for more."""

Outcome = Literal["faster", "slower", "no clear difference", "not alike", "void", "gone", "new"]
_SILENT: tuple[Outcome, ...] = ("not alike", "void", "new")
_WORDS: dict[str, Outcome] = {"better": "faster", "worse": "slower", "no clear difference": "no clear difference"}


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of one pair. `broken` are the conditions that it fails."""

    pair: Pair
    metric: str
    before: Figure | None
    after: Figure | None
    outcome: Outcome
    broken: tuple[Condition, ...] = ()

    @property
    def relative(self) -> float | None:
        """(after - before) / before, of the medians."""
        if self.before is None or self.after is None or not self.before.median:
            return None
        return self.after.median / self.before.median - 1


@dataclass(frozen=True, slots=True)
class Comparison:
    before: Side
    after: Side
    changes: tuple[Change, ...]
    gone: tuple[Model, ...]  # measured before, not after

    @property
    def regressions(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.broken)

    @property
    def compared(self) -> tuple[Change, ...]:
        """Those that say something; what is void or not alike does not."""
        return tuple(change for change in self.changes if change.outcome not in _SILENT)

    def unchecked(self, conditions: Sequence[Condition]) -> tuple[Condition, ...]:
        """Conditions that found nothing to look at: a check with one must not pass."""
        checked = {change.metric for change in self.compared}
        return tuple(condition for condition in conditions if condition.metric not in checked)


def compare(
    before: Side,
    after: Side,
    conditions: Sequence[Condition] = (),
    *,
    metrics: Sequence[str] = USUAL,
    loose: bool = False,
) -> Comparison:
    """`loose` compares also what was measured elsewhere or with other settings."""
    wanted = tuple(dict.fromkeys((*metrics, *(condition.metric for condition in conditions))))
    changes = (change for pair in pairs(before, after) for change in _changes(pair, wanted, conditions, loose=loose))
    return Comparison(before, after, tuple(changes), tuple(missing(before, after)))


def _changes(pair: Pair, metrics: Sequence[str], conditions: Sequence[Condition], *, loose: bool) -> Iterator[Change]:
    for metric in metrics:
        before, after = pair.before.metrics.get(metric), pair.after.metrics.get(metric)
        if before is None and after is None:
            continue
        outcome = _outcome(pair, metric, before, after, loose=loose)
        change = Change(pair, metric, before, after, outcome)
        broken = tuple(
            condition for condition in conditions if condition.metric == metric and _breaks(change, condition)
        )
        yield Change(pair, metric, before, after, outcome, broken)


def _outcome(pair: Pair, metric: str, before: Figure | None, after: Figure | None, *, loose: bool) -> Outcome:
    if pair.before.void is not None or pair.after.void is not None:
        return "void"
    if pair.unlike and not loose:
        return "not alike"
    if before is None or after is None:
        return "new" if before is None else "gone"
    if before.basis != after.basis:
        return "not alike"
    return _WORDS[verdict(after, before, lower_is_better=METRICS[metric].lower_is_better)]


def _breaks(change: Change, condition: Condition) -> bool:
    if change.outcome == "gone":
        return True  # what cannot be measured any more is worse than slow
    if change.outcome in _SILENT or change.relative is None:
        return False
    return condition.met(change.relative) and not _overlap(change)


def _overlap(change: Change) -> bool:
    if change.before is None or change.after is None or change.before.ci95 is None or change.after.ci95 is None:
        return False
    first, second = change.before.ci95, change.after.ci95
    return first[0] <= second[1] and second[0] <= first[1]
