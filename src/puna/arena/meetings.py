"""Who met whom on a board, and how that ended (contract arena §2.2 `/matrix`, §2.10). Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puna.arena.board import Board
from puna.arena.ratings.games import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Meetings:
    """Players × players: of the row's player against the column's, both in the order of the ratings."""

    players: tuple[str, ...]
    games: Floats  # comparisons
    wins: Floats  # of the row's player; ties are half a win
    chance: Floats  # of the row's player to win, by the ratings

    @classmethod
    def of(cls, board: Board) -> Meetings:
        place = {name: index for index, name in enumerate(board.fitted.players)}
        players = tuple(line.name for line in board.lines)
        order = np.ix_([place[name] for name in players], [place[name] for name in players])
        wins = board.fitted.games.unweighted().wins()
        return cls(players, (wins + wins.T)[order], wins[order], board.fitted.chances[order])
