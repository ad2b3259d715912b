"""Who meets next, and how probable that was (contract arena §2.4). Pure; chance comes from the caller's generator.

A choice is a distribution over pairs. Modifiers make another distribution of it, so the probability that is stored with
a battle is always the one that it was drawn with.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

from puna.arena.ratings import Fit, spread

Strategy = Literal["uniform", "least_played", "informative", "challenger"]
Pair = tuple[str, str]  # in the order of their names
Odds = Mapping[Pair, float]  # the sum is 1

MAX_STREAK = 5
"""Battles in a row that may be kept to loaded models."""

REST_S = 600.0
"""An instance that failed is not drawn for so long."""

_EXPLORE = 0.25  # share of `informative` that is uniform


@dataclass(frozen=True, slots=True)
class Drawn:
    """Who plays, sorted, and with what probability just these were drawn."""

    players: tuple[str, ...]
    probability: float


def uniform(players: Collection[str]) -> Odds:
    return _normalised(dict.fromkeys(_pairs(players), 1.0))


def least_played(players: Collection[str], counts: Mapping[Pair, int]) -> Odds:
    """∝ 1/(1 + n(i, j)); `counts` as of `ratings.pair_counts`."""
    return _normalised({pair: 1 / (1 + counts.get(pair, 0)) for pair in _pairs(players)})


def informative(players: Collection[str], fitted: Fit) -> Odds:
    """Mostly by how much one vote lowers the variance of θi - θj. `fitted` holds all players, without games too."""
    place = {name: index for index, name in enumerate(fitted.players)}
    gains = {}
    for first, second in _pairs(players):
        chance = float(fitted.chances[place[first], place[second]])
        information, variance = chance * (1 - chance), spread(fitted, place[first], place[second])
        gains[first, second] = information * variance**2 / (1 + information * variance)
    total = sum(gains.values())
    return {pair: _EXPLORE / len(gains) + (1 - _EXPLORE) * gain / total for pair, gain in gains.items()}


def challenger(players: Collection[str], fixed: str) -> Odds:
    """One instance against uniform others."""
    return _normalised({pair: float(fixed in pair) for pair in _pairs(players)})


def prefer_loaded(odds: Odds, loaded: Collection[str], streak: int) -> Odds:
    """Only pairs with the most loaded instances, but for every pair after a `streak` of 5 battles kept so."""
    ready = {pair: sum(player in loaded for player in pair) for pair, chance in odds.items() if chance > 0}
    most = max(ready.values(), default=0)
    if most == 0 or streak >= MAX_STREAK:
        return odds
    return _normalised({pair: chance if ready.get(pair) == most else 0.0 for pair, chance in odds.items()})


def rested(players: Sequence[str], failed_at: Mapping[str, float], now: float) -> tuple[str, ...]:
    """Without those that failed in the last ten minutes; times are seconds of one clock."""
    return tuple(player for player in players if now - failed_at.get(player, float("-inf")) >= REST_S)


def draw(odds: Odds, rng: random.Random, slots: int = 2) -> Drawn:
    """A pair by `odds`, and for more slots others uniformly with it. Raises ValueError with too few players."""
    everyone = sorted({player for pair in odds for player in pair})
    if not 2 <= slots <= len(everyone):
        raise ValueError(f"{slots} slots need as many different instances")
    (pair,) = rng.choices(list(odds), weights=list(odds.values()))
    others = [player for player in everyone if player not in pair]
    players = tuple(sorted((*pair, *rng.sample(others, slots - 2))))
    ways = comb(len(others), slots - 2)
    return Drawn(players, sum(odds.get(inside, 0.0) for inside in combinations(players, 2)) / ways)


def _pairs(players: Collection[str]) -> list[Pair]:
    """Raises ValueError below two players: there is nobody to meet."""
    pairs = list(combinations(sorted(set(players)), 2))
    if not pairs:
        raise ValueError("a battle needs two different instances")
    return pairs


def _normalised(weights: Mapping[Pair, float]) -> Odds:
    """Raises ValueError where no pair may be drawn: an unknown challenger."""
    total = sum(weights.values())
    if total <= 0:
        raise ValueError("no pair can be drawn")
    return {pair: weight / total for pair, weight in weights.items()}
