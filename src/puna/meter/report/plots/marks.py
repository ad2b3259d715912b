"""What stands for data: dots of several shapes, bars, intervals, lines. Each may carry words for a pointer."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring

from markupsafe import Markup

from puna.drawing import SERIES, SHAPES, element, lying

Point = tuple[float, float]


def dot(at: Point, style: str, words: str, shape: int = 0) -> Element:
    place = f"translate({at[0]:.1f} {at[1]:.1f})"
    path = element("path", class_=f"dot {style}", d=SHAPES[shape % SERIES], transform=place)
    path.append(element("title", text=words))
    return path


def swatch(style: str, shape: int) -> Markup:
    """A mark alone, for a legend in words; it says nothing to a screen reader."""
    mark = element("path", class_=f"dot {style}", d=SHAPES[shape % SERIES], transform="translate(8 8)")
    alone = element("svg", mark, class_="swatch", viewBox="0 0 16 16", width=16, height=16, aria_hidden="true")
    return Markup(tostring(alone, encoding="unicode"))  # noqa: S704 - ElementTree has escaped it


def bar(x: float, y: float, width: float, height: float, style: str) -> Element:
    return element("rect", class_=style, x=x, y=y, width=max(width, 1.0), height=height, rx=1.5)


def interval_across(y: float, low: float, high: float) -> Element:
    """Of 95 %, lying."""
    return element("path", class_="interval", d=lying(y, low, high))


def interval_upright(x: float, low: float, high: float, style: str = "") -> Element:
    return element("path", class_=f"interval {style}".strip(), d=f"M{x - 4:.1f} {low:.1f}h8m-4 0V{high:.1f}m-4 0h8")


def line(points: Sequence[Point], style: str) -> Element:
    return element("polyline", class_=f"line {style}", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))


def label(at: Point, text: str, style: str = "", anchor: str = "start") -> Element:
    return element("text", class_=f"label {style}".strip(), x=at[0], y=at[1], text_anchor=anchor, text=text)
