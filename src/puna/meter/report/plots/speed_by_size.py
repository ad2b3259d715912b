"""Size against decode speed: the Pareto front is what one chooses from (contract meter §24, row 11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from markupsafe import Markup

from puna.drawing import Box, Scale, around
from puna.meter.report.plots.axis import across, upward
from puna.meter.report.plots.marks import Point, dot, interval_upright, label, line
from puna.meter.report.plots.svg import WIDTH, drawing
from puna.meter.report.shown import amount, name
from puna.meter.report.standing import Place
from puna.units import format_bytes

_HEIGHT = 440.0
_BOX = Box(64, 40, WIDTH - 24, _HEIGHT - 56)
_LETTER, _LINE = 7.9, 15.0  # about the width and height of a label's letter
_PLACES = (
    (12, 4, "start"), (10, -10, "start"), (-12, 4, "end"), (-10, -10, "end"), (0, -14, "middle"), (0, 24, "middle"),
    (10, -26, "start"), (-10, -26, "end"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Front:
    """`places` in the order of size; on the `front` is who is not beaten in size and speed at once."""

    places: tuple[Place, ...]
    front: tuple[Place, ...]


def front_of(places: Sequence[Place]) -> Front:
    """Larger counts as better here: for a model, size is what its answers are worth. Unknown sizes are left out."""
    known = sorted((place for place in places if place.model.size_bytes), key=lambda place: place.model.size_bytes)
    front: list[Place] = []
    for place in sorted(known, key=lambda place: (place.model.size_bytes, place.figure.median), reverse=True):
        if not front or place.figure.median > front[-1].figure.median:
            front.append(place)
    return Front(tuple(known), tuple(reversed(front)))


def speed_by_size(found: Front) -> Markup:
    x = around([float(place.model.size_bytes) for place in found.places], _BOX.left, _BOX.right)
    y = around([place.figure.median for place in found.places], _BOX.bottom, _BOX.top + 30)
    marks = [
        across(_BOX, x, "size of the model", lambda value: format_bytes(round(value))),
        upward(_BOX, y, "decode, tok/s", lambda value: f"{value:,.10g}"),
        line([(x(place.model.size_bytes), y(place.figure.median)) for place in found.front], "front"),
        *_dots(found, x, y),
    ]
    title = "Size against decode speed"
    names = ", ".join(name(place.model.name) for place in found.front)
    return drawing("size", _HEIGHT, title, f"No model is both larger and faster than these: {names}.", marks)


def _dots(found: Front, x: Scale, y: Scale) -> Iterator[Element]:
    """Those of the front get their labels first; a label that would cover another thing is left to the pointer."""
    points = {id(place): (x(place.model.size_bytes), y(place.figure.median)) for place in found.places}
    taken = [(px - 6, py - 6, px + 6, py + 6) for px, py in points.values()]
    on_front = {id(place) for place in found.front}
    for place in sorted(found.places, key=lambda place: id(place) not in on_front):
        at, style = points[id(place)], "lead" if id(place) in on_front else "fill"
        if place.figure.ci95 is not None:
            low, high = (min(max(y(value), _BOX.top), _BOX.bottom) for value in place.figure.ci95)
            yield interval_upright(at[0], low, high)
        speed = amount(place.figure.median, place.figure.unit)
        yield dot(at, style, f"{name(place.model.name)}: {speed}, {format_bytes(place.model.size_bytes)}")
        yield from _label(at, name(place.model.name, 24), style, taken)


def _label(at: Point, text: str, style: str, taken: list[tuple[float, float, float, float]]) -> Iterator[Element]:
    width = _LETTER * len(text)
    for dx, dy, anchor in _PLACES:
        left = at[0] + dx - {"start": 0.0, "end": width, "middle": width / 2}[anchor]
        place = (left, at[1] + dy - _LINE, left + width, at[1] + dy + 3)
        inside = place[0] >= 0 and place[2] <= WIDTH and place[1] >= 0 and place[3] <= _BOX.bottom
        if inside and not any(_meet(place, other) for other in taken):
            taken.append(place)
            yield label((at[0] + dx, at[1] + dy), text, style, anchor)
            return


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
