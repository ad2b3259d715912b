"""`puna meter compare A B`: what became faster or slower, and exit code 5 for a regression (contract meter §24, 10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from puna.cli.arguments import exactly
from puna.cli.grammar import words_of
from puna.cli.tables import table
from puna.cli.terminal import note
from puna.errors import PunaError

if TYPE_CHECKING:
    from puna.meter.report.compare import Change, Comparison
    from puna.meter.report.conditions import Condition

REGRESSION = 5

_HEADER = ("MODEL", "SETTING", "METRIC", "A", "B", "CHANGE", "RESULT")


def compare(
    words: Annotated[list[str] | None, words_of("A B")] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", help='Exit with 5 when so, e.g. "decode<-10%"; may be given again.'),
    ] = None,
    loose: Annotated[bool, typer.Option("--loose", help="Compare other endpoints, digests and settings, too.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every metric.")] = False,
) -> int:
    """Compare two measurements: v2 files, runs by the start of their id, or last and last~1."""
    first, second = exactly(2, words)
    from puna.database import Database, database_url
    from puna.meter.config import Config
    from puna.meter.history import History
    from puna.meter.metrics import METRICS
    from puna.meter.report.compare import USUAL
    from puna.meter.report.compare import compare as compared
    from puna.meter.report.conditions import parse_conditions
    from puna.meter.report.sides import side

    conditions = parse_conditions(fail_if or [])
    database = Database(database_url(Config.from_env().database))
    try:
        history = History(database)
        before, after = side(first, history), side(second, history)
    finally:
        database.close()
    metrics = tuple(METRICS) if verbose else USUAL
    return _tell(compared(before, after, conditions, metrics=metrics, loose=loose), conditions)


def _tell(found: Comparison, conditions: Sequence[Condition]) -> int:
    """Raises `PunaError` where there is nothing to compare: a check that looks at nothing must not pass."""
    from puna.meter.report.shown import name

    note(f"A: {name(found.before.title)}")
    note(f"B: {name(found.after.title)}")
    if found.changes:
        print(table(_HEADER, map(_row, found.changes)), end="")
    for model in found.gone:
        note(f"only in A: {name(model.name)}")
    if not found.compared:
        unlike = any(change.outcome == "not alike" for change in found.changes)
        hint = "; --loose compares all the same" if unlike else ""
        raise PunaError(f"nothing was measured alike in A and B{hint}")
    if unchecked := found.unchecked(conditions):
        raise PunaError(f"nothing to check {', '.join(map(str, unchecked))} by: it was not measured alike in A and B")
    for change in found.regressions:
        note(f"✗ {name(change.pair.model.name)}: {', '.join(map(str, change.broken))} ({_changed(change)})")
    if conditions and not found.regressions:
        note("✓ no regression")
    return REGRESSION if found.regressions else 0


def _row(change: Change) -> tuple[str, ...]:
    from puna.meter.metrics import METRICS
    from puna.meter.report.shown import NONE, amount, name, setting

    shown = [NONE if each is None else amount(each.median, each.unit) for each in (change.before, change.after)]
    return (
        name(change.pair.model.name),
        setting(change.pair.before).strip() or NONE,
        METRICS[change.metric].title,
        *shown,
        _changed(change),
        _result(change),
    )


def _changed(change: Change) -> str:
    from puna.meter.report.shown import NONE
    from puna.meter.report.shown import change as written

    if change.outcome == "gone":
        return "nothing measured any more"
    return NONE if change.relative is None else written(change.relative)


def _result(change: Change) -> str:
    """`not alike` says why."""
    if change.outcome == "void":
        return f"void: {change.pair.before.void or change.pair.after.void}"
    if change.outcome != "not alike":
        return change.outcome
    return f"not alike: {', '.join(change.pair.unlike) or 'another clock'}"
