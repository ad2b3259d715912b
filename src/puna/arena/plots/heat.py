"""Who beat whom, and how often they met: players against players."""

from __future__ import annotations

from collections.abc import Callable

from puna.arena.meetings import Meetings
from puna.arena.plots.grid import MOST, Cell, grid, height
from puna.arena.plots.plot import Plot, Table, Value
from puna.arena.plots.view import View, empty


def winrate(view: View) -> Plot:
    """The share that the row's player won of its games with the column's, ties as halves."""
    title = "Won of the games with each other"
    if view.board is None:
        return empty("winrate", title, ("name",))
    met = Meetings.of(view.board)

    def cell(row: int, column: int) -> Cell | None:
        games, wins = met.games[row, column], met.wins[row, column]
        words = f"{met.players[row]} against {met.players[column]}: {wins:g} of {games:g}"
        return Cell(f"{100 * wins / games:.0f}", 2 * wins / games - 1, words) if games else None

    def value(row: int, column: int) -> Value:
        games = met.games[row, column]
        return round(float(met.wins[row, column] / games), 4) if games else None

    words = view.about("Per cent that the player of the row won against that of the column.", MOST)
    return _square("winrate", title, words, met.players, cell, value)


def games(view: View) -> Plot:
    """How often each pair met."""
    title = "Games with each other"
    if view.board is None:
        return empty("games", title, ("name",))
    met = Meetings.of(view.board)
    most = met.games.max()

    def cell(row: int, column: int) -> Cell | None:
        count = met.games[row, column]
        words = f"{met.players[row]} and {met.players[column]}: {count:g}"
        return Cell(f"{count:.0f}", count / most, words) if count else None

    def value(row: int, column: int) -> Value:
        return int(met.games[row, column])

    words = view.about("How often the players of row and column were compared.", MOST)
    return _square("games", title, words, met.players, cell, value)


def _square(
    key: str,
    title: str,
    words: str,
    players: tuple[str, ...],
    cell: Callable[[int, int], Cell | None],
    value: Callable[[int, int], Value],
) -> Plot:
    """Columns have the numbers that stand before the rows' names."""
    shown, everyone = range(min(len(players), MOST)), range(len(players))
    marks = grid(
        [f"{players[row]}  {row + 1}" for row in shown],
        [str(column + 1) for column in shown],
        [[cell(row, column) for column in shown] for row in shown],
    )
    rows = tuple((players[row], *(value(row, column) for column in everyone)) for row in everyone)
    return Plot(key, title, words, height(len(shown)), tuple(marks), Table(("name", *players), rows))
