"""What the plots are drawn from: the largest board, and the ballots that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from puna.arena.ballots import Ballot
from puna.arena.board import Board, Method, rows_of
from puna.arena.lines import Line
from puna.arena.plots.plot import Plot, Table
from puna.arena.plots.svg import WIDTH, label
from puna.arena.ratings import Row
from puna.arena.standings import Standing

MOST_ROWS = 60
"""Players in a list of rows; the table of a plot has them all."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """`board` is None without a countable vote."""

    board: Board | None
    ballots: Sequence[Ballot]  # that the filters kept
    method: Method
    boards: int = 1

    @classmethod
    def of(cls, standing: Standing) -> View:
        board = standing.boards[0] if standing.boards else None
        return cls(board, standing.kept, standing.query.method, len(standing.boards))

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.board.lines if self.board else ()

    def compared(self) -> list[tuple[Ballot, Row]]:
        """Every comparison on the board with its ballot, the oldest first."""
        members = {line.name for line in self.lines}
        ballots = sorted(self.ballots, key=lambda ballot: (ballot.at, ballot.battle))
        return [(ballot, row) for ballot in ballots for row in rows_of(ballot, self.method) if row.first in members]

    def about(self, words: str, shown: int | None = None) -> str:
        """A description, with what the drawing leaves out."""
        if shown is not None and shown < len(self.lines):
            words += f" Drawn are the first {shown} of {len(self.lines)}; the table has all."
        if self.boards > 1:
            words += f" This is the largest of {self.boards} boards whose players never met."
        return words


def empty(key: str, title: str, columns: tuple[str, ...], reason: str = "There are no votes to show yet.") -> Plot:
    return Plot(
        key, title, reason, 90, (label(WIDTH / 2, 52, reason, role="soft", anchor="middle"),), Table(columns, ())
    )
