"""Dots and whiskers: each player's rating with its interval."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from puna.arena.lines import Line
from puna.arena.plots.axis import across, points
from puna.arena.plots.plot import Plot, Table
from puna.arena.plots.svg import NAMES, WIDTH, dot, label, short, whisker
from puna.arena.plots.view import MOST_ROWS, View, empty
from puna.drawing import Box, Scale, spanning

_VALUES = 200.0
_TOP, _ROW = 12.0, 26.0
_COLUMNS = ("name", "rating", "low", "high", "games", "provisional")


def ratings(view: View) -> Plot:
    if not view.lines:
        return empty("ratings", "Ratings", _COLUMNS)
    shown = view.lines[:MOST_ROWS]
    box = Box(NAMES, _TOP, WIDTH - _VALUES, _TOP + _ROW * len(shown) + 6)
    scale = spanning([end for line in shown for end in (line.low, line.high)], box.left, box.right, least=100)
    marks = list(across(box, scale, "rating, with its 95 % interval", points))
    for row, line in enumerate(shown):
        marks += _row(line, scale, _TOP + _ROW * (row + 0.5) + 3)
    words = view.about("Each dot is a rating, its whisker 95 % sure. A hollow dot is provisional.", len(shown))
    table = Table(_COLUMNS, tuple(_values(line) for line in view.lines))
    return Plot("ratings", "Ratings", words, box.bottom + 52, tuple(marks), table)


def _row(line: Line, scale: Scale, y: float) -> Iterator[Element]:
    yield label(NAMES - 10, y + 4, short(line.name), anchor="end")
    yield whisker(y, scale(line.low), scale(line.high))
    words = f"{line.name}: {line.rating:.0f}, {line.games} games"
    yield dot(scale(line.rating), y, words, hollow=line.provisional)
    text = f"{line.rating:.0f} ({line.low:.0f} to {line.high:.0f}){' provisional' * line.provisional}"
    yield label(WIDTH - _VALUES + 10, y + 4, text, role="soft", size=12)


def _values(line: Line) -> tuple[str | float | None, ...]:
    bounds = (round(value, 1) for value in (line.rating, line.low, line.high))
    return (line.name, *bounds, line.games, "yes" if line.provisional else "no")
