"""Rating against speed: who is not beaten in both at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from puna.arena.plots.axis import across, points, upward
from puna.arena.plots.plot import Plot, Table
from puna.arena.plots.svg import NAMES, WIDTH, dot, label, path, short
from puna.arena.plots.view import View, empty
from puna.drawing import Box, Scale, spanning

_BOX = Box(64, 38, WIDTH - NAMES - 28, 360)
_MOST = 20  # players whose numbers find room
_COLUMNS = ("name", "tokens per second", "rating", "best trade-off")


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    tokens_per_s: float
    rating: float


def front(places: Sequence[Place]) -> tuple[Place, ...]:
    """Those that nobody beats in rating and speed at once, the fastest last."""
    best: list[Place] = []
    for place in sorted(places, key=lambda place: (-place.tokens_per_s, -place.rating, place.name)):
        if not best or place.rating > best[-1].rating:
            best.append(place)
    return tuple(reversed(best))


def speed(view: View) -> Plot:
    title = "Rating and speed"
    speeds = ((line.name, line.median_tokens_per_s, line.rating) for line in view.lines)
    places = [Place(name, rate, rating) for name, rate, rating in speeds if rate is not None]
    if not places:
        return empty("speed", title, _COLUMNS, "No answer with a known speed was voted on yet.")
    shown, best = places[:_MOST], front(places)
    x = spanning([place.tokens_per_s for place in shown], _BOX.left, _BOX.right, least=10)
    y = spanning([place.rating for place in shown], _BOX.bottom, _BOX.top, least=100)
    marks = [
        *across(_BOX, x, "tokens per second, median", lambda value: f"{value:g}"),
        *upward(_BOX, y, "rating", points),
        path([(x(each.tokens_per_s), y(each.rating)) for each in best], "accent", width=1.5, dash="2 5"),
        *_dots(shown, best, x, y),
    ]
    words = "Squares on the dashed line are the best trade-offs: nobody has a higher rating and is faster, too."
    rows = ((p.name, round(p.tokens_per_s, 2), round(p.rating, 1), "yes" if p in best else "no") for p in places)
    return Plot("speed", title, view.about(words, _MOST), _BOX.bottom + 52, tuple(marks), Table(_COLUMNS, tuple(rows)))


def _dots(places: Sequence[Place], best: Sequence[Place], x: Scale, y: Scale) -> Iterator[Element]:
    """Numbers beside the dots, names in a list: names would cover each other."""
    for number, place in enumerate(places, 1):
        at = x(place.tokens_per_s), y(place.rating)
        leads = place in best
        words = f"{place.name}: {place.rating:.0f}, {place.tokens_per_s:.1f} tokens per second"
        yield dot(*at, words, role="accent" if leads else "soft", shape=1 if leads else 0)
        yield label(at[0] + 8, at[1] - 6, str(number), size=12)
        yield label(_BOX.right + 20, _BOX.top + 16 * number - 12, f"{number}  {short(place.name)}", size=12)
