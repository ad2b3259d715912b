"""How often something won, with 95 % intervals around shares: the longer answer, and the side on which it stood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from puna.arena.ballots import Ballot
from puna.arena.plots.axis import across, percent
from puna.arena.plots.plot import Plot, Table
from puna.arena.plots.svg import NAMES, WIDTH, dot, label, line, short, whisker
from puna.arena.plots.view import View, empty
from puna.arena.ratings import Share, left_rate
from puna.drawing import Box, Linear, Scale

_VALUES = 170.0
_TOP, _ROW = 12.0, 28.0
_PLAYERS = 20
_LONGER = ((1.1, "up to 1.1 times as long"), (1.5, "1.1 to 1.5 times"), (2.0, "1.5 to 2 times"), (3.0, "2 to 3 times"))
_LONGEST = "more than 3 times"


@dataclass(frozen=True, slots=True)
class _Counted:
    name: str
    share: Share
    shape: int = 0
    judged: bool = True  # whether half of the wins is what a fair arena gives


def length(view: View) -> Plot:
    """How often the longer of two answers won, by how much longer it was. Ties are left out."""
    title = "Wins of the longer answer"
    known = [pair for ballot in view.ballots if (pair := _lengths(ballot)) is not None]
    rows, low = [], 1.0
    for high, name in (*_LONGER, (float("inf"), _LONGEST)):
        rows.append(_Counted(name, left_rate(score for times, score in known if low < times <= high)))
        low = high
    words = "Of how many decided battles the longer answer won. Right of the middle, length helps."
    return _plot("length", title, view.about(words), "how much longer", rows)


def position(view: View) -> Plot:
    """How often players won on the left of two cards, and how often on the right. Ties are left out."""
    title = "Wins by side"
    scores: dict[tuple[str, str], list[float]] = {}
    everyone: list[float] = []
    for ballot in view.ballots:
        if (score := ballot.left_score) is not None:
            everyone.append(score)
            left, right = (entry.name(view.method.unit) for entry in ballot.entries)
            scores.setdefault((left, "left"), []).append(score)
            scores.setdefault((right, "right"), []).append(1 - score)
    rows = [_Counted("everyone, on the left", left_rate(everyone))]
    for player in [each.name for each in view.lines[:_PLAYERS]]:
        for shape, side in enumerate(("left", "right")):
            share = left_rate(scores.get((player, side), ()))
            rows.append(_Counted(f"{short(player, 22)}, {side}", share, shape, judged=False))
    words = "Of how many decided battles of two each player won on either side. A fair arena has no better side."
    return _plot("position", title, view.about(words, _PLAYERS), "who, and on which side", rows)


def _lengths(ballot: Ballot) -> tuple[float, float] | None:
    """How many times as long the longer answer was, and its score; None where that is not known or not so."""
    left = ballot.left_score
    if left is None:
        return None
    one, other = (entry.tokens for entry in ballot.entries)
    if not one or not other or one == other:
        return None
    return (one / other, left) if one > other else (other / one, 1 - left)


def _plot(key: str, title: str, words: str, what: str, rows: Sequence[_Counted]) -> Plot:
    columns = (what, "won", "low", "high", "decided")
    if not any(row.share.of for row in rows):
        return empty(key, title, columns)
    box = Box(NAMES, _TOP, WIDTH - _VALUES, _TOP + _ROW * len(rows) + 4)
    scale = Linear(0, 1, box.left, box.right)
    marks = [*across(box, scale, "won of the decided battles, with its 95 % interval", percent, ticks=4)]
    marks.append(line(scale(0.5), box.top, scale(0.5), box.bottom, "soft", dash="4 4"))
    for index, row in enumerate(rows):
        marks += _row(row, scale, _TOP + _ROW * (index + 0.5) + 2)
    return Plot(key, title, words, box.bottom + 52, tuple(marks), Table(columns, tuple(map(_values, rows))))


def _row(row: _Counted, scale: Scale, y: float) -> Iterator[Element]:
    share = row.share
    yield label(NAMES - 10, y + 4, short(row.name), anchor="end")
    if not share.of:
        yield label(WIDTH - _VALUES + 10, y + 4, "no decided battle", role="soft", size=12)
        return
    yield whisker(y, scale(share.low), scale(share.high))
    yield dot(scale(share.won / share.of), y, f"{row.name}: {share.won:g} of {share.of:g}", shape=row.shape)
    text = f"{percent(share.won / share.of)} of {share.of:g}{', not by chance' * (row.judged and share.unfair)}"
    yield label(WIDTH - _VALUES + 10, y + 4, text, role="soft", size=12)


def _values(row: _Counted) -> tuple[str | float | None, ...]:
    share = row.share
    won = round(share.won / share.of, 4) if share.of else None
    return row.name, won, round(share.low, 4), round(share.high, 4), share.of
