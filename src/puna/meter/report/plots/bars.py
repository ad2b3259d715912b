"""Bars with intervals: one row per model, one panel per metric, the value written beside its bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from markupsafe import Markup

from puna.drawing import Linear, element, from_zero
from puna.meter.metrics import METRICS
from puna.meter.report.plots.marks import bar, interval_across, label
from puna.meter.report.plots.svg import WIDTH, drawing
from puna.meter.report.schema import Figure, Model
from puna.meter.report.shown import amount, digits, name, seconds
from puna.meter.report.standing import figure, is_clear

_NAMES, _GAP, _VALUE = 236.0, 26.0, 66.0
_TOP, _ROW, _BAR = 58.0, 30.0, 12.0


def bars(models: Sequence[Model], keys: Sequence[str]) -> Markup:
    """The models in the order given; the best of each panel and all that are no worse stand out."""
    width = (WIDTH - _NAMES - _GAP * len(keys)) / len(keys)
    marks: list[Element] = [
        label((_NAMES - 8, _TOP + _ROW * row + 19), name(model.name, 26), "model", "end")
        for row, model in enumerate(models)
    ]
    for index, key in enumerate(keys):
        left = _NAMES + index * (width + _GAP) + _GAP / 2
        marks += _panel(models, key, left, left + width)
    titles = ", ".join(METRICS[key].title for key in keys)
    words = f"Medians with their 95 % intervals for {len(models)} models; the table above has the same numbers."
    return drawing("bars", _TOP + _ROW * len(models) + 12, f"{titles} of each model", words, marks)


def _panel(models: Sequence[Model], key: str, left: float, right: float) -> Iterator[Element]:
    metric, found = METRICS[key], [figure(model, key) for model in models]
    known = [each for each in found if each is not None]
    scale = from_zero([_reach(each) for each in known], left, right - _VALUE)
    best = (min if metric.lower_is_better else max)(known, key=lambda each: each.median, default=None)
    better = "less is better" if metric.lower_is_better else "more is better"
    unit = "" if metric.unit == "s" else f" {metric.unit}"
    yield label((left, 20), f"{metric.title}{unit}", "name")
    yield label((left, 38), better, "small")
    for row, each in enumerate(found):
        y = _TOP + _ROW * row
        if each is None:
            yield label((right, y + 19), "—", "small", "end")
        else:
            yield from _bar(each, scale, y, right, leads=best is not None and not is_clear(best, each, key))
    yield element("line", class_="base", x1=left, x2=left, y1=_TOP, y2=_TOP + _ROW * len(models))


def _bar(each: Figure, scale: Linear, y: float, right: float, *, leads: bool) -> Iterator[Element]:
    drawn = bar(scale.start, y + (_ROW - _BAR) / 2, scale(each.median) - scale.start, _BAR, "lead" if leads else "fill")
    drawn.append(element("title", text=f"{amount(each.median, each.unit)}, {each.n} requests, {each.basis}"))
    yield drawn
    if each.ci95 is not None:
        low, high = (scale(min(max(value, 0.0), scale.high)) for value in each.ci95)
        yield interval_across(y + _ROW / 2, low, high)
    text = seconds(each.median) if each.unit == "s" else digits(each.median)
    yield label((right, y + 19), text, "lead" if leads else "", "end")


def _reach(each: Figure) -> float:
    """How far the scale must go: an interval of two values would push all bars to the wall, and is cut."""
    return min(each.ci95[1], 1.6 * each.median) if each.ci95 is not None and each.ci95[1] > 0 else each.median
