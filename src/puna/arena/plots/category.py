"""Ratings of each category by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from puna.arena.plots.grid import MOST, Cell, grid, height
from puna.arena.plots.plot import Plot, Table
from puna.arena.plots.svg import short
from puna.arena.plots.view import View, empty
from puna.arena.ratings import MEAN, Games, Row, fit, separate_boards

_CATEGORIES = 8
_DEEP = 300.0  # points from the mean at which a cell has its full colour


def category(view: View) -> Plot:
    """Refitted with the comparisons of one category at a time, the most frequent categories."""
    title = "Ratings by category"
    rows_of: dict[str, list[Row]] = {}
    for ballot, row in view.compared():
        for name in ballot.categories:
            rows_of.setdefault(name, []).append(row)
    if not rows_of:
        return empty("category", title, ("name",), "No vote has a category yet.")
    counts = Counter({name: len(rows) for name, rows in sorted(rows_of.items())})
    names = [name for name, _ in counts.most_common(_CATEGORIES)]
    columns = [_ratings(rows_of[name]) for name in names]
    players = [line.name for line in view.lines]
    cells = [[_cell(player, name, known) for name, known in zip(names, columns, strict=True)] for player in players]
    marks = grid(players[:MOST], [short(name, 13) for name in names], cells[:MOST])
    rows = tuple((player, *(known.get(player) for known in columns)) for player in players)
    words = view.about("The rating of each player among the votes of one category; empty where it has none.", MOST)
    return Plot("category", title, words, height(len(cells[:MOST])), tuple(marks), Table(("name", *names), rows))


def _ratings(rows: list[Row]) -> Mapping[str, float]:
    """Of the largest group that met within the category: others cannot be compared with it."""
    members = separate_boards(rows)[0]
    fitted = fit(Games.of([row for row in rows if row.first in members]))
    return dict(zip(fitted.players, fitted.ratings.round(1).tolist(), strict=True))


def _cell(player: str, category: str, known: Mapping[str, float]) -> Cell | None:
    rating = known.get(player)
    if rating is None:
        return None
    return Cell(f"{rating:.0f}", max(-1.0, min((rating - MEAN) / _DEEP, 1.0)), f"{player}, {category}: {rating:.0f}")
