"""Curves over depth or concurrency: some panels side by side, one line per model, the same colour and shape in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from markupsafe import Markup

from puna.drawing import SERIES, Box, Linear, Log, Scale, element, from_zero
from puna.meter.report.plots.axis import across, upward
from puna.meter.report.plots.marks import dot, interval_upright, line
from puna.meter.report.plots.svg import WIDTH, drawing
from puna.meter.report.shown import amount

_HEIGHT, _GAP = 330.0, 22.0
_AXIS = 54.0  # room for the numbers beside a panel


@dataclass(frozen=True, slots=True)
class Value:
    """At `x`; the interval is optional."""

    x: float
    y: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    values: tuple[Value, ...]
    knee: float | None = None  # the x of the value that gets a ring


@dataclass(frozen=True, slots=True)
class Panel:
    """`curves` are in the order of the legend; a curve may be empty."""

    title: str
    unit: str
    curves: tuple[Curve, ...]


def style_of(index: int) -> str:
    """The class of a curve; those beyond the first few are told by their words only."""
    return f"s{index}" if index < SERIES else "rest"


def curves(key: str, title: str, x_title: str, panels: Sequence[Panel], *, doubling: bool = False) -> Markup:
    """`doubling`: x is drawn in equal ratios. Raises nothing: a panel without values is an empty frame."""
    places = sorted({value.x for panel in panels for curve in panel.curves for value in curve.values})
    width = (WIDTH - _GAP * (len(panels) - 1)) / len(panels)
    marks: list[Element] = []
    for index, panel in enumerate(panels):
        left = index * (width + _GAP)
        box = Box(left + _AXIS, 44, left + width - 8, _HEIGHT - 58)
        marks += _panel(panel, box, _x_scale(places, box, doubling=doubling), x_title, places)
    count = len({curve.name for panel in panels for curve in panel.curves})
    words = f"{', '.join(panel.title for panel in panels)}, for {count} models; the numbers are in the table below."
    return drawing(key, _HEIGHT, title, words, marks)


def _x_scale(places: Sequence[float], box: Box, *, doubling: bool) -> Scale:
    low, high = (places[0], places[-1]) if places else (0.0, 1.0)
    left, right = box.left + 10, box.right - 10
    if doubling and low > 0 and high > low:
        return Log(low, high, left, right)
    return Linear(low, high if high > low else low + 1, left, right)


def _panel(panel: Panel, box: Box, x: Scale, x_title: str, places: Sequence[float]) -> Iterator[Element]:
    tops = [_top(value) for curve in panel.curves for value in curve.values]
    y = from_zero(tops, box.bottom, box.top)
    write: Callable[[float], str] = lambda value: f"{value:,.10g}"  # noqa: E731 - a name for the two axes
    yield upward(box, y, f"{panel.title}, {panel.unit}", write)
    yield across(box, x, x_title, write, places)
    for index, curve in reversed(list(enumerate(panel.curves))):  # the first ones on top
        yield from _curve(curve, index, x, y, panel.unit)


def _curve(curve: Curve, index: int, x: Scale, y: Linear, unit: str) -> Iterator[Element]:
    style = style_of(index)
    yield line([(x(value.x), y(value.y)) for value in curve.values], style)
    for value in curve.values:
        if value.interval is not None:
            low, high = (y(min(max(each, 0.0), y.high)) for each in value.interval)
            yield interval_upright(x(value.x), low, high, style)
        yield dot((x(value.x), y(value.y)), style, f"{curve.name}, {value.x:g}: {amount(value.y, unit)}", index)
        if value.x == curve.knee:
            yield element("circle", class_=f"knee {style}", cx=x(value.x), cy=y(value.y), r=9.0)


def _top(value: Value) -> float:
    return min(value.interval[1], 1.6 * value.y) if value.interval and value.interval[1] > 0 else value.y
