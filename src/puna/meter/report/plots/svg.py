"""Elements of SVG, by the standard library's ElementTree, which escapes what it is given."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

from markupsafe import Markup

WIDTH = 920.0
"""Of every drawing, so that their texts are equally large."""


def element(tag: str, *children: Element, text: str = "", **attributes: str | float) -> Element:
    """`class_` is `class`, and `text_anchor` is `text-anchor`."""
    made = Element(tag, {_name(key): _value(value) for key, value in attributes.items()})
    made.text = text or None
    made.extend(children)
    return made


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


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
