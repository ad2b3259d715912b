"""Who meets in the next battle: by a strategy, with rests for who failed and a turn for who is loaded (§2.4).

It remembers failures and streaks for as long as the process lives; everything else it is told.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable
from time import monotonic

from puna.arena.ballots import Ballot, Filters
from puna.arena.failures import Refused
from puna.arena.pairs import (
    Drawn,
    Odds,
    Strategy,
    challenger,
    draw,
    informative,
    least_played,
    prefer_loaded,
    rested,
    uniform,
)
from puna.arena.ratings import Games, Row, fit, pair_counts

_COUNTED = Filters()


class Matchmaker:
    """Players are called as boards call them. `clock` gives seconds."""

    def __init__(self, rng: random.Random | None = None, clock: Callable[[], float] = monotonic) -> None:
        self.rng = rng or random.SystemRandom()
        self._clock = clock
        self._failed_at: dict[str, float] = {}
        self._streak = 0

    def failed(self, player: str) -> None:
        """It rests for ten minutes."""
        self._failed_at[player] = self._clock()

    def draw(
        self, players: Collection[str], slots: int, odds_of: OddsOf, loaded: Collection[str] = (), fixed: str = ""
    ) -> Drawn:
        """Raises `Refused` with too few players. `fixed` is one that never rests.

        Those that rest play all the same where there would be too few without them: to say that one rests would be to
        say who failed.
        """
        if len(players) < slots:
            raise Refused(too_few(len(players), slots))
        everyone = sorted(players)
        awake = {*rested(everyone, self._failed_at, self._clock()), *([fixed] if fixed else ())}
        odds = odds_of(sorted(awake) if len(awake) >= slots else everyone)
        preferred = prefer_loaded(odds, loaded, self._streak)
        self._streak = self._streak + 1 if preferred != odds else 0
        return draw(preferred, self.rng, slots)


OddsOf = Callable[[Collection[str]], Odds]
"""The odds of every pair of these players."""


def odds_by(strategy: Strategy, ballots: Iterable[Ballot], fixed: str = "") -> OddsOf:
    """`ballots` are those that a board would read; `fixed` is who meets all others, of `challenger`."""

    def odds(players: Collection[str]) -> Odds:
        match strategy:
            case "uniform":
                return uniform(players)
            case "challenger":
                return challenger(players, fixed)
            case "least_played":
                return least_played(players, pair_counts(_rows(ballots, players)))
            case "informative":
                return informative(players, fit(Games.of(_rows(ballots, players), players)))

    return odds


def too_few(found: int, slots: int) -> str:
    """What to do where there is nobody to meet, in one line."""
    if slots > 2:
        return f"A battle of {slots} needs {slots} different instances and there are {found}: ask for fewer slots"
    return (
        f"A battle needs two different instances and there {'is one' if found else 'are none'}: "
        "install another model, or name two settings of one in model_instances"
    )


def _rows(ballots: Iterable[Ballot], players: Collection[str]) -> list[Row]:
    known = frozenset(players)
    return [
        row
        for ballot in ballots
        if _COUNTED.keep(ballot)
        for row in ballot.verdict.rows(ballot.players("instance"), ballot.battle)
        if known.issuperset(row.pair)
    ]
