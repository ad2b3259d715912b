"""Elements of SVG, by the standard library's ElementTree, which escapes what it is given."""

from __future__ import annotations

from xml.etree.ElementTree import Element

SHAPES = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "M-4 -4h8v8h-8z",
    "M0 -5.5L5.2 3.8H-5.2z",
    "M0 -5.8L5.8 0L0 5.8L-5.8 0z",
    "M0 5.5L5.2 -3.8H-5.2z",
    "M-5 -1.7h3.3v-3.3h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3z",
)
"""Paths around the origin that are told apart without colours, too."""

SERIES = len(SHAPES)


def element(tag: str, *children: Element, text: str = "", **attributes: str | float) -> Element:
    """`class_` is `class`, and `text_anchor` is `text-anchor`. Numbers have at most one decimal."""
    made = Element(tag, {name.rstrip("_").replace("_", "-"): number(value) for name, value in attributes.items()})
    made.text = text or None
    made.extend(children)
    return made


def lying(y: float, low: float, high: float) -> str:
    """The path of an interval from `low` to `high`, with a whisker at each end."""
    return f"M{number(low)} {number(y - 4)}v8m0 -4H{number(high)}m0 -4v8"


def number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
