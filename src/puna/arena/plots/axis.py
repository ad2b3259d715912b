"""Axes: a few labelled ticks with hair lines through the drawing, and a title in words."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from puna.arena.plots.svg import label, line
from puna.drawing import Box, Scale, Write


def across(box: Box, scale: Scale, title: str, write: Write, ticks: int = 7) -> Iterator[Element]:
    """Below the box."""
    for value in scale.ticks(ticks):
        x = scale(value)
        yield line(x, box.top, x, box.bottom)
        yield label(x, box.bottom + 18, write(value), role="soft", size=12, anchor="middle")
    yield line(box.left, box.bottom, box.right, box.bottom, "soft")
    yield label((box.left + box.right) / 2, box.bottom + 38, title, anchor="middle")


def upward(box: Box, scale: Scale, title: str, write: Write) -> Iterator[Element]:
    """On the left; the title stands above the box."""
    yield label(box.left, box.top - 12, title)
    for value in scale.ticks(5):
        y = scale(value)
        yield line(box.left, y, box.right, y)
        yield label(box.left - 8, y + 4, write(value), role="soft", size=12, anchor="end")


def points(value: float) -> str:
    return f"{value:.0f}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
