"""Coloured cells in rows and columns, each with its value written in it: colour only repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from puna.arena.plots.svg import NAMES, WIDTH, label, plain, short
from puna.drawing import element

MOST = 25
"""Rows and columns, so that a number fits into its cell."""

_TOP, _ROW = 34.0, 24.0
_WIDEST = 84.0
_AIR = 6.0


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    heat: float  # -1 to 1
    words: str  # for a pointer


def grid(rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Cell | None]]) -> list[Element]:
    """At most `MOST` columns; a cell that is None has nothing to say. `height` is how tall it gets."""
    width = min((WIDTH - NAMES - _AIR) / max(len(columns), 1), _WIDEST)
    marks = [
        label(NAMES + width * (index + 0.5), _TOP - 8, name, role="soft", size=12, anchor="middle")
        for index, name in enumerate(columns)
    ]
    for row, name in enumerate(rows):
        y = _TOP + _ROW * row
        marks.append(label(NAMES - 8, y + 16, short(name), anchor="end"))
        marks += [_drawn(cell, NAMES + width * index, y, width) for index, cell in enumerate(cells[row])]
    return marks


def height(rows: int) -> float:
    return _TOP + _ROW * rows + _AIR


def _drawn(cell: Cell | None, x: float, y: float, width: float) -> Element:
    middle = x + width / 2
    if cell is None:
        return label(middle, y + 16, "·", role="soft", size=11, anchor="middle")
    return element(
        "g",
        element("title", text=plain(cell.words)),
        element("rect", x=x, y=y, width=width - 1, height=_ROW - 1, fill=f"heat:{cell.heat:.2f}"),
        label(middle, y + 16, cell.text, size=11, anchor="middle"),
    )
