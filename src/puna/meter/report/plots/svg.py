"""A whole drawing with the words that stand for it."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

from markupsafe import Markup

from puna.drawing import element

WIDTH = 920.0
"""Of every drawing, so that their texts are equally large."""


def group(*children: Element) -> Element:
    return element("g", *children)


def drawing(key: str, height: float, title: str, description: str, marks: Iterable[Element]) -> Markup:
    """A whole drawing with the words that stand for it; `key` is unique on the page."""
    words = (
        element("title", id=f"{key}-title", text=title),
        element("desc", id=f"{key}-desc", text=description),
    )
    whole = element(
        "svg",
        *words,
        *marks,
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        width=WIDTH,
        height=height,
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
    )
    return Markup(tostring(whole, encoding="unicode"))  # noqa: S704 - ElementTree has escaped it
