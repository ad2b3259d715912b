"""Ratings from votes: who is better, and how sure that is (contract arena §2.5). Pure, on numpy.

games      the rows (i, j, y, w) as arrays; reweighting; which players can be compared at all
logistic   the regression under all of it, by Newton's method
fit        Bradley-Terry strengths with a prior
intervals  `laplace`, and for comparison with other boards `sandwich` and `bootstrap`; ranks
draws      samples of the exact posterior
comparing  two players; votes to settle; live Elo; left-slot rate; fragility
"""

from puna.arena.ratings.comparing import (
    Share,
    chance_better,
    fragility,
    left_rate,
    live_elo,
    spread,
    votes_to_settle,
)
from puna.arena.ratings.draws import Draws, normal, posterior
from puna.arena.ratings.fit import MEAN, POINTS, PRIOR, Fit, fit
from puna.arena.ratings.games import Games, Row, pair_counts, reweight, separate_boards
from puna.arena.ratings.intervals import Interval, bootstrap, laplace, sandwich

__all__ = [
    "MEAN",
    "POINTS",
    "PRIOR",
    "Draws",
    "Fit",
    "Games",
    "Interval",
    "Row",
    "Share",
    "bootstrap",
    "chance_better",
    "fit",
    "fragility",
    "laplace",
    "left_rate",
    "live_elo",
    "normal",
    "pair_counts",
    "posterior",
    "reweight",
    "sandwich",
    "separate_boards",
    "spread",
    "votes_to_settle",
]
