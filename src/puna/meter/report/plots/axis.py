"""Axes: a few labelled ticks with hair lines across the drawing, and a title in words."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from puna.drawing import Box, Scale, Write, element
from puna.meter.report.plots.svg import group


def across(box: Box, scale: Scale, title: str, write: Write, values: Sequence[float] | None = None) -> Element:
    """Below the box; `values` are the places of ticks, those too close to the one before have no label."""
    marks, free_from = [], -1e9
    for value in scale.ticks(8) if values is None else values:
        x, text = scale(value), write(value)
        marks.append(element("line", class_="hair", x1=x, x2=x, y1=box.bottom, y2=box.bottom + 5))
        if x - 4 * len(text) > free_from:
            marks.append(element("text", class_="small", x=x, y=box.bottom + 20, text_anchor="middle", text=text))
            free_from = x + 4 * len(text)
    line = element("line", class_="base", x1=box.left, x2=box.right, y1=box.bottom, y2=box.bottom)
    middle = (box.left + box.right) / 2
    return group(
        line, *marks, element("text", class_="name", x=middle, y=box.bottom + 42, text_anchor="middle", text=title)
    )


def upward(box: Box, scale: Scale, title: str, write: Write) -> Element:
    """On the left; the title stands above the box."""
    marks = [element("text", class_="name", x=box.left, y=box.top - 14, text=title)]
    for value in scale.ticks(5):
        y = scale(value)
        marks.append(element("line", class_="hair", x1=box.left, x2=box.right, y1=y, y2=y))
        marks.append(element("text", class_="small", x=box.left - 8, y=y + 4, text_anchor="end", text=write(value)))
    return group(*marks)
