"""What was played, as arrays: the rows (i, j, y, w) of contract arena §2.4 and what is counted from them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_MUCH = 50  # rows of one pair from which `reweight` lets no further row add weight


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison of two players. A verdict on several slots gives several rows of one battle."""

    first: str  # i
    second: str  # j
    score: float  # y: what the first won of it, 1, 0.5 or 0
    weight: float = 1.0  # w
    battle: str = ""  # rows of one battle are resampled together; in runs, those of one prompt

    @property
    def pair(self) -> tuple[str, str]:
        """Both players, in the order of their names."""
        return (self.first, self.second) if self.first < self.second else (self.second, self.first)


def pair_counts(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    """n(i, j): how often each pair met, by `Row.pair`. Weights do not matter here."""
    return Counter(row.pair for row in rows)


def reweight(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The same rows with w / max(n(i, j), 50), scaled to mean 1: one over-played pair cannot rule (§2.4)."""
    counts = pair_counts(rows)
    weights = [row.weight / max(counts[row.pair], _MUCH) for row in rows]
    scale = len(rows) / (sum(weights) or 1.0)
    return tuple(replace(row, weight=weight * scale) for row, weight in zip(rows, weights, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Games:
    """The rows as arrays, one entry a row; players and battles are indices into their sorted names."""

    players: tuple[str, ...]
    battles: int
    first: Indices
    second: Indices
    battle: Indices
    score: Floats
    weight: Floats

    @classmethod
    def of(cls, rows: Sequence[Row], players: Iterable[str] = ()) -> Self:
        """`players`: more of them, that have not played yet. Raises ValueError on a row of one player alone."""
        names = {row.first for row in rows} | {row.second for row in rows} | set(players)
        if any(row.first == row.second for row in rows):
            raise ValueError("a row needs two different players")
        place = {name: index for index, name in enumerate(sorted(names))}
        cluster = {name: index for index, name in enumerate(sorted({row.battle for row in rows}))}
        return cls(
            players=tuple(place),
            battles=len(cluster),
            first=np.array([place[row.first] for row in rows], dtype=np.intp),
            second=np.array([place[row.second] for row in rows], dtype=np.intp),
            battle=np.array([cluster[row.battle] for row in rows], dtype=np.intp),
            score=np.array([row.score for row in rows], dtype=np.float64),
            weight=np.array([row.weight for row in rows], dtype=np.float64),
        )

    def without(self, battle: int) -> Games:
        """The same with every row of one battle at weight 0: indices stay what they were."""
        return replace(self, weight=np.where(self.battle == battle, 0.0, self.weight))

    def times(self, counts: Floats) -> Games:
        """The same with battle b taken `counts[b]` times: what a resample is."""
        return replace(self, weight=self.weight * counts[self.battle])

    def only(self, rows: slice | NDArray[np.bool_]) -> Games:
        """Some of the rows; players and battles stay what they were, whether or not they have a row left."""
        parts = {name: getattr(self, name)[rows] for name in ("first", "second", "battle", "score", "weight")}
        return replace(self, **parts)

    def unweighted(self) -> Games:
        return replace(self, weight=np.ones_like(self.weight))

    def battles_by_player(self) -> Indices:
        """In how many battles each player has a row: a ranking of six is one."""
        seats = np.concatenate((self.first, self.second)) * self.battles + np.concatenate((self.battle, self.battle))
        return np.bincount(np.unique(seats) // max(self.battles, 1), minlength=len(self.players))

    def results(self, score: float) -> Indices:
        """How many rows ended with this score, 1, 0.5 or 0, for each player."""
        size = len(self.players)
        as_first = np.bincount(self.first[self.score == score], minlength=size)
        return np.asarray(as_first + np.bincount(self.second[self.score == 1 - score], minlength=size))

    def wins(self) -> Floats:
        """Players × players: the weighted score of the row's player against the column's. All that a fit needs."""
        size = len(self.players)
        won = np.bincount(self.first * size + self.second, self.weight * self.score, size * size)
        lost = np.bincount(self.second * size + self.first, self.weight * (1 - self.score), size * size)
        return np.asarray((won + lost).reshape(size, size), dtype=np.float64)


def separate_boards(rows: Iterable[Row]) -> tuple[frozenset[str], ...]:
    """Players that a path of games connects, by group: ratings of two groups cannot be compared (L4). Largest first."""
    group: dict[str, set[str]] = {}
    for row in rows:
        one, other = group.setdefault(row.first, {row.first}), group.setdefault(row.second, {row.second})
        if one is not other:
            small, large = sorted((one, other), key=len)
            large |= small
            group.update(dict.fromkeys(small, large))
    distinct = {id(members): frozenset(members) for members in group.values()}.values()
    return tuple(sorted(distinct, key=lambda members: (-len(members), min(members))))
