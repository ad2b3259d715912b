"""A finished plot: what it shows, in marks, in words and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, tostring

from puna.arena.plots.svg import WIDTH, plain
from puna.arena.plots.theme import Theme
from puna.drawing import element

Value = str | float | None

_COLOURS = ("fill", "stroke")
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """`marks` name colours by the roles of a theme."""

    key: str  # unique on a page
    title: str
    description: str
    height: float
    marks: tuple[Element, ...]
    table: Table

    def svg(self, theme: Theme) -> str:
        """A whole drawing that needs nothing else. Same data and theme, same text."""
        whole = element(
            "svg",
            element("title", id=f"plot-{self.key}-title", text=plain(self.title)),
            element("desc", id=f"plot-{self.key}-desc", text=plain(self.description)),
            element("rect", width=WIDTH, height=self.height, fill="paper"),
            *self.marks,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {WIDTH:g} {self.height:g}",
            width=WIDTH,
            height=self.height,
            role="img",
            aria_labelledby=f"plot-{self.key}-title plot-{self.key}-desc",
            font_family=_FONT,
        )
        return tostring(_coloured(whole, theme), encoding="unicode")

    def wire(self) -> dict[str, Any]:
        """The words and the numbers, without the drawing."""
        return {
            "title": self.title,
            "description": self.description,
            "columns": list(self.table.columns),
            "rows": [list(row) for row in self.table.rows],
        }


def _coloured(whole: Element, theme: Theme) -> Element:
    """A copy with the theme's colours."""
    colours = {name: theme.colour(whole.attrib[name]) for name in _COLOURS if name in whole.attrib}
    made = Element(whole.tag, whole.attrib | colours)
    made.text = whole.text
    made.extend(_coloured(child, theme) for child in whole)
    return made
