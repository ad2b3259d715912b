"""Bradley-Terry strengths with a prior (contract arena §2.5). Pure.

P(i beats j) = σ(θi - θj); the prior has a standard deviation of 400 points, so one lucky vote makes no champion. The
prior also fixes what the games leave open: within every group of players that met, Σθ = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from puna.arena.ratings.games import Floats, Games, Indices
from puna.arena.ratings.logistic import Logistic, sigmoid

POINTS = 400 / math.log(10)
"""α: rating points per unit of θ, so that 400 points are odds of 10 to 1."""

PRIOR = 1 / math.log(10) ** 2
"""λ: the prior's precision; its standard deviation is 400 points."""

MEAN = 1000.0


@dataclass(frozen=True, eq=False)
class Fit:
    """The most probable strengths. Arrays have one entry a player, in the order of `games.players`."""

    games: Games
    model: Logistic
    theta: Floats

    @property
    def players(self) -> tuple[str, ...]:
        return self.games.players

    @property
    def ratings(self) -> Floats:
        return to_points(self.theta)

    @cached_property
    def inverse_hessian(self) -> Floats:
        return np.asarray(np.linalg.inv(self.model.hessian(self.theta)))

    @cached_property
    def covariance(self) -> Floats:
        """V = C H⁻¹ C: of the centred strengths, by `laplace`."""
        centring = np.eye(len(self.theta)) - 1 / max(len(self.theta), 1)
        return np.asarray(centring @ self.inverse_hessian @ centring)

    @cached_property
    def chances(self) -> Floats:
        """Players × players: P(the row's player beats the column's)."""
        return sigmoid(self.theta[:, None] - self.theta[None, :])

    @cached_property
    def battle_scores(self) -> Floats:
        """Battles × players: each battle's part of the likelihood's gradient."""
        games = self.games
        surprise = games.weight * (games.score - self.chances[games.first, games.second])
        scores = np.zeros((games.battles, len(self.theta)))
        np.add.at(scores, (games.battle, games.first), surprise)
        np.add.at(scores, (games.battle, games.second), -surprise)
        return scores


def fit(games: Games) -> Fit:
    """Newton from 0. Equal rows are first added up by pair, so the cost hardly grows with the votes."""
    wins = games.wins()
    met = np.triu(wins + wins.T, 1)
    first, second = np.nonzero(met)
    total = met[first, second]
    design = players_design(first, second, len(games.players))
    model = Logistic(design, wins[first, second] / total, total, np.full(len(games.players), PRIOR))
    return Fit(games, model, model.maximum())


def players_design(first: Indices, second: Indices, players: int) -> Floats:
    """Rows × players: +1 for the first player of a row, -1 for the second."""
    identity = np.eye(players)
    return np.asarray(identity[first] - identity[second])


def to_points(theta: Floats) -> Floats:
    return np.asarray(MEAN + POINTS * theta)
