"""The leaderboard: votes regrouped, filtered and fitted (contract arena §2.6 L1, L3, L4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from puna.arena.ballots import Ballot, Filters, Unit
from puna.arena.lines import Answers, Line, answers_by_player, games_by_player, lines
from puna.arena.ratings import (
    Fit,
    Games,
    Row,
    Share,
    fit,
    laplace,
    left_rate,
    normal,
    posterior,
    reweight,
    separate_boards,
    votes_to_settle,
)
from puna.arena.verdicts import BothBad

Certainty = Literal["posterior", "laplace"]

MANY = 1000
"""Battles from which `laplace` is as good as the exact posterior."""


@dataclass(frozen=True, slots=True)
class Method:
    """How votes become ratings (§2.4, §2.5).

    `certainty="laplace"` is what is shown until the samples are there; large boards stay with it.
    """

    unit: Unit = "instance"
    both_bad: BothBad = "tie"
    reweighted: bool = False
    certainty: Certainty = "posterior"
    anchor: tuple[str, float] | None = None  # a player, and the rating that it shall have; all others move along
    seed: int = 7


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """Players that a path of games connects; lines by rating, best first."""

    lines: tuple[Line, ...]
    rows: tuple[Row, ...]  # all that was fitted, before `reweight`
    fitted: Fit
    certainty: Certainty  # of the intervals that are in it
    to_settle: int | None  # votes that would tell the first two apart; None where there is no gap
    left: Share  # how often the left of two slots won


DEFAULT_FILTERS = Filters()
DEFAULT_METHOD = Method()


def leaderboards(
    ballots: Iterable[Ballot], filters: Filters = DEFAULT_FILTERS, method: Method = DEFAULT_METHOD
) -> tuple[Board, ...]:
    """A board for each group of players that met, the largest first; none without a countable vote."""
    kept = [ballot for ballot in ballots if filters.keep(ballot)]
    rows = _of_frequent_players([row for ballot in kept for row in _rows(ballot, method)], filters.min_games)
    answers = answers_by_player(kept, method.unit)
    return tuple(
        _board([row for row in rows if row.first in members], _of(members, kept, method.unit), answers, method)
        for members in separate_boards(rows)
    )


def _board(rows: Sequence[Row], ballots: Sequence[Ballot], answers: Answers, method: Method) -> Board:
    fitted = fit(Games.of(reweight(rows) if method.reweighted else rows))
    exact = method.certainty == "posterior" and fitted.games.battles < MANY
    draws = (posterior if exact else normal)(fitted, seed=method.seed)
    interval = draws.interval() if exact else laplace(fitted)
    table = _anchored(lines(rows, answers, fitted, interval, draws), method.anchor)
    return Board(
        lines=table,
        rows=tuple(rows),
        fitted=fitted,
        certainty="posterior" if exact else "laplace",
        to_settle=votes_to_settle(table[0].rating - table[1].rating),
        left=left_rate(score for ballot in ballots if (score := ballot.left_score) is not None),
    )


def _anchored(table: tuple[Line, ...], anchor: tuple[str, float] | None) -> tuple[Line, ...]:
    """A board without the anchor stays around 1000."""
    shift = next((anchor[1] - line.rating for line in table if anchor and line.name == anchor[0]), 0.0)
    return tuple(
        replace(line, rating=line.rating + shift, low=line.low + shift, high=line.high + shift) for line in table
    )


def _rows(ballot: Ballot, method: Method) -> tuple[Row, ...]:
    players = ballot.players(method.unit)
    return ballot.verdict.rows(players, ballot.battle, weight=ballot.weight, both_bad=method.both_bad)


def _of_frequent_players(rows: Sequence[Row], min_games: int) -> Sequence[Row]:
    games = games_by_player(rows)
    return [row for row in rows if min(games[row.first], games[row.second]) >= min_games]


def _of(members: frozenset[str], ballots: Iterable[Ballot], unit: Unit) -> list[Ballot]:
    """Battles among these players; two settings of one model may have met there, whatever the unit."""
    return [ballot for ballot in ballots if members.issuperset(ballot.players(unit).values())]
