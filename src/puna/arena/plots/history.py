"""How ratings moved as votes came in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element

import numpy as np

from puna.arena.plots.axis import points, upward
from puna.arena.plots.plot import Plot, Table
from puna.arena.plots.svg import NAMES, WIDTH, dot, label, line, path, short
from puna.arena.plots.view import View, empty
from puna.arena.ratings import Games, fit
from puna.drawing import SERIES, Box, Linear, Scale, spanning

_STEPS = 24
_BOX = Box(64, 38, WIDTH - NAMES - 28, 330)
_LINE = 16.0  # height of a label
_COLUMNS = ("at", "comparisons")


@dataclass(frozen=True, slots=True)
class _Moment:
    at: datetime
    comparisons: int
    ratings: dict[str, float]  # of those that had played by then


def history(view: View) -> Plot:
    """Refitted with the oldest comparisons only, at up to 24 moments with as many new ones each."""
    title = "Ratings over time"
    moments = _moments(view)
    if len(moments) < 2:
        return empty("history", title, _COLUMNS, "There are too few votes for a history yet.")
    names = [each.name for each in view.lines[:SERIES]]
    y = spanning(
        [rating for moment in moments for name, rating in moment.ratings.items() if name in names],
        _BOX.bottom, _BOX.top, least=100,
    )  # fmt: skip
    x = Linear(moments[0].comparisons, moments[-1].comparisons, _BOX.left + 8, _BOX.right - 8)
    marks = [*upward(_BOX, y, "rating", points), *_time_axis(moments, x)]
    for index, name in reversed(list(enumerate(names))):
        marks += _curve(index, name, moments, x, y)
    marks += _legend(names, [y(moments[-1].ratings[name]) for name in names])
    everyone = [each.name for each in view.lines]
    rows = ((moment.at.isoformat(), moment.comparisons, *map(moment.ratings.get, everyone)) for moment in moments)
    words = view.about("Each line is a player, refitted with the votes up to then.", SERIES)
    return Plot("history", title, words, _BOX.bottom + 48, tuple(marks), Table((*_COLUMNS, *everyone), tuple(rows)))


def _moments(view: View) -> list[_Moment]:
    compared = view.compared()
    games = Games.of([row for _, row in compared])
    counts = np.unique(np.linspace(min(2, len(compared)), len(compared), _STEPS).astype(int)).tolist()
    return [_moment(compared[count - 1][0].at, count, games.only(slice(count))) for count in counts if count]


def _moment(at: datetime, count: int, games: Games) -> _Moment:
    ratings = zip(games.players, games.battles_by_player(), fit(games).ratings.round(1).tolist(), strict=True)
    return _Moment(at, count, {name: rating for name, battles, rating in ratings if battles})


def _time_axis(moments: Sequence[_Moment], x: Scale) -> Iterator[Element]:
    yield line(_BOX.left, _BOX.bottom, _BOX.right, _BOX.bottom, "soft")
    for moment, anchor in ((moments[0], "start"), (moments[-1], "end")):
        text = f"{moment.at:%Y-%m-%d}, {moment.comparisons} comparisons"
        yield label(x(moment.comparisons), _BOX.bottom + 20, text, role="soft", size=12, anchor=anchor)


def _curve(index: int, name: str, moments: Sequence[_Moment], x: Scale, y: Scale) -> Iterator[Element]:
    role = f"s{index}"
    known = [moment for moment in moments if name in moment.ratings]
    yield path([(x(moment.comparisons), y(moment.ratings[name])) for moment in known], role)
    for moment in known:
        words = f"{name}, {moment.at:%Y-%m-%d}: {moment.ratings[name]:.0f}"
        yield dot(x(moment.comparisons), y(moment.ratings[name]), words, role=role, shape=index)


def _legend(names: Sequence[str], ends: Sequence[float]) -> Iterator[Element]:
    """Beside the lines' ends, moved apart where they would cover each other."""
    free = _BOX.top - _LINE
    for index in sorted(range(len(names)), key=lambda each: ends[each]):
        free = max(ends[index], free + _LINE)
        yield dot(_BOX.right + 14, free, names[index], role=f"s{index}", shape=index)
        yield label(_BOX.right + 26, free + 4, short(names[index]))
