"""The marks of a plot. Colours are roles of a theme; texts are made harmless."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from puna.drawing import SERIES, SHAPES, element, lying, number

WIDTH = 860.0
"""Of every drawing, in pixels of its own box."""

NAMES = 272.0
"""Room for names beside a drawing: 30 characters, in the widest of the fonts that a browser may take."""

_SHORT = 30  # characters of a name beside a mark
_TAIL = 11  # of which the last ones: settings stand at the end of an instance's name
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def plain(text: str) -> str:
    """Without what XML forbids, what controls a terminal, and what turns the direction of writing (R10)."""
    return "".join(character if character.isprintable() else _UNKNOWN for character in text)


def short(name: str, most: int = _SHORT) -> str:
    """Cut in its middle."""
    return name if len(name) <= most else f"{name[: most - _TAIL - 1]}…{name[-_TAIL:]}"


def label(x: float, y: float, text: str, *, role: str = "ink", size: float = 13, anchor: str = "start") -> Element:
    return element("text", text=plain(text), x=x, y=y, fill=role, font_size=size, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, role: str = "hair", *, dash: str = "none") -> Element:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=role, stroke_dasharray=dash)


def dot(x: float, y: float, words: str, *, role: str = "accent", shape: int = 0, hollow: bool = False) -> Element:
    """`words` are for a pointer."""
    return element(
        "path",
        element("title", text=plain(words)),
        d=SHAPES[shape % SERIES],
        transform=f"translate({number(x)} {number(y)})",
        fill="paper" if hollow else role,
        stroke=role,
        stroke_width=1.5,
    )


def whisker(y: float, low: float, high: float, role: str = "ink") -> Element:
    """An interval of 95 %, lying."""
    return element("path", d=lying(y, low, high), fill="none", stroke=role, stroke_width=1.2)


def path(points: Sequence[tuple[float, float]], role: str, *, width: float = 2, dash: str = "none") -> Element:
    places = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return element(
        "polyline", points=places, fill="none", stroke=role, stroke_width=width, stroke_dasharray=dash,
        stroke_linejoin="round",
    )  # fmt: skip
