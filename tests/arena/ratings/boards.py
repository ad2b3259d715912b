"""Games written as tallies: who met whom, and how often each way it ended."""

from __future__ import annotations

import numpy as np

from puna.arena.ratings import Games, Row

Tally = tuple[str, str, int, int, int]  # first, second; wins, losses and ties of the first


def rows_of(*tallies: Tally) -> list[Row]:
    """Each comparison is a battle of its own."""
    rows: list[Row] = []
    for first, second, wins, losses, ties in tallies:
        for score in [1.0] * wins + [0.0] * losses + [0.5] * ties:
            rows.append(Row(first, second, score, battle=f"battle {len(rows)}"))
    return rows


def games_of(*tallies: Tally) -> Games:
    return Games.of(rows_of(*tallies))


def played(thetas: np.ndarray, battles: int, rng: np.random.Generator) -> Games:
    """`battles` votes between uniformly drawn pairs of players of these true strengths, all of them on the board."""
    names = [f"p{index}" for index in range(len(thetas))]
    rows = []
    for battle in range(battles):
        first, second = rng.choice(len(thetas), 2, replace=False)
        won = rng.random() < 1 / (1 + np.exp(thetas[second] - thetas[first]))
        rows.append(Row(names[first], names[second], float(won), battle=str(battle)))
    return Games.of(rows, names)
