"""How the text of single requests arrived: the wait, then a tick for each chunk, and the longest pauses in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from xml.etree.ElementTree import Element

from markupsafe import Markup

from puna.drawing import Box, Linear, element, from_zero
from puna.meter.report.plots.axis import across
from puna.meter.report.plots.marks import bar, label
from puna.meter.report.plots.svg import WIDTH, drawing
from puna.meter.report.shown import name, seconds, tick

_LEFT, _TOP, _ROW, _AIR = 236.0, 8.0, 18.0, 14.0
_TICK = 10.0
STALL_S = 0.05
"""Pauses shorter than this are not marked, whatever the others are."""

_STALL = 4.0  # times the request's median gap, from which a pause is marked


@dataclass(frozen=True, slots=True)
class Lane:
    """The requests of one model: for each the seconds at which its chunks arrived, ascending."""

    name: str
    requests: tuple[tuple[float, ...], ...]


def timeline(lanes: Sequence[Lane]) -> Markup:
    ends = [request[-1] for lane in lanes for request in lane.requests if request]
    rows = sum(len(lane.requests) for lane in lanes)
    bottom = _TOP + rows * _ROW + len(lanes) * _AIR
    box = Box(_LEFT, _TOP, WIDTH - 12, bottom)
    x = from_zero(ends, box.left, box.right)
    marks = [across(box, x, "since the request was sent", tick)]
    y = _TOP
    for lane in lanes:
        marks.append(label((_LEFT - 10, y + 14), name(lane.name, 26), "model", "end"))
        for request in lane.requests:
            marks += _request(request, x, y)
            y += _ROW
        y += _AIR
    words = (
        "One row per request: the wait for the first token, then one tick per chunk. The table has the same in numbers."
    )
    return drawing("timeline", bottom + 56, "How the text arrived", words, marks)


def stalls(request: Sequence[float]) -> list[tuple[float, float]]:
    """The pauses that stand out: from and to."""
    gaps = [after - before for before, after in pairwise(request)]
    limit = max(STALL_S, _STALL * median(gaps)) if gaps else 0.0
    return [(before, after) for before, after in pairwise(request) if after - before > limit]


def _request(request: Sequence[float], x: Linear, y: float) -> Iterator[Element]:
    if not request:
        return
    middle = y + _ROW / 2
    yield bar(x(0), middle - 1, x(request[0]) - x(0), 2, "wait")
    for before, after in stalls(request):
        pause = bar(x(before), middle - 2.5, x(after) - x(before), 5, "stall")
        pause.append(element("title", text=f"a pause of {seconds(after - before)}"))
        yield pause
    places = sorted({round(x(at) * 2) / 2 for at in request})  # finer than a screen shows is only weight
    path = "".join(f"M{place:g} {middle - _TICK / 2:g}v{_TICK:g}" for place in places)
    yield element("path", class_="ticks", d=path)
