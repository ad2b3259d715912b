"""What a person or a judge said of one battle, and the rows it makes (contract arena §2.3 V2, V10, §2.4). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Literal, Self

from puna.arena.ratings import Row
from puna.errors import BadRequest

Kind = Literal["best", "tie", "both_bad", "ranking", "likes"]
BothBad = Literal["tie", "drop"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`groups` holds every slot once, best group first. A `best` says nothing of the others among each other.

    The groups of `likes` are the liked and the disliked slots, either may be empty; slots that nobody judged are in
    neither. They say nothing inside a group: a like alone makes no loser (V10).
    """

    kind: Kind
    groups: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, slots: Sequence[str], choice: object = None, ranking: object = None) -> Self:
        """From one of a request's `choice` (a slot letter, `tie`, `both_bad`) or `ranking` (`[["B"], ["A", "C"]]`).

        Raises BadRequest `Invalid choice`.
        """
        if choice is not None and ranking is None:
            return cls._chosen(slots, choice)
        if choice is None and ranking is not None:
            return cls._ranked(slots, ranking)
        raise BadRequest("Invalid choice")

    @classmethod
    def _chosen(cls, slots: Sequence[str], choice: object) -> Self:
        if choice == "tie":
            return cls("tie", (tuple(slots),))
        if choice == "both_bad":
            return cls("both_bad", (tuple(slots),))
        if isinstance(choice, str) and choice in slots:
            return cls("best", ((choice,), tuple(slot for slot in slots if slot != choice)))
        raise BadRequest("Invalid choice")

    @classmethod
    def _ranked(cls, slots: Sequence[str], ranking: object) -> Self:
        if not isinstance(ranking, list) or not all(isinstance(group, list) and group for group in ranking):
            raise BadRequest("Invalid choice")
        named = [slot for group in ranking for slot in group]
        if not all(isinstance(slot, str) for slot in named) or sorted(named) != sorted(slots):
            raise BadRequest("Invalid choice")
        return cls("ranking", tuple(tuple(group) for group in ranking))

    @classmethod
    def of_likes(cls, liked: Sequence[str], disliked: Sequence[str]) -> Self:
        return cls("likes", (tuple(liked), tuple(disliked)))

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(slot for group in self.groups for slot in group)

    def scores(self, both_bad: BothBad = "tie") -> tuple[tuple[str, str, float], ...]:
        """(slot, slot, y) of every comparison that the verdict makes; the earlier slot letter comes first."""
        return _scores(self.kind, self.groups, both_bad)

    def rows(
        self, players: Mapping[str, str], battle: str, *, weight: float = 1.0, both_bad: BothBad = "tie"
    ) -> tuple[Row, ...]:
        """One row a comparison, each with w = 2/k of k slots. `players`: by slot; rows of one player drop out (L1)."""
        share = weight * 2 / max(len(self.slots), 2)
        return tuple(
            Row(players[one], players[other], score, share, battle)
            for one, other, score in self.scores(both_bad)
            if players[one] != players[other]
        )


@lru_cache(maxsize=4096)  # votes are many, different verdicts are few
def _scores(kind: Kind, groups: tuple[tuple[str, ...], ...], both_bad: BothBad) -> tuple[tuple[str, str, float], ...]:
    if kind == "both_bad" and both_bad == "drop":
        return ()
    place = {slot: index for index, group in enumerate(groups) for slot in group}
    return tuple(
        (one, other, _score(place[one], place[other]))
        for one, other in combinations(sorted(place), 2)
        if (kind != "best" or groups[0][0] in (one, other)) and (kind != "likes" or place[one] != place[other])
    )


def _score(one: int, other: int) -> float:
    return 0.5 if one == other else float(one < other)
