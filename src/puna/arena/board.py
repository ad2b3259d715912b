"""The leaderboard: votes regrouped, filtered and fitted (contract arena §2.6 L1, L3, L4). Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from puna.arena.ballots import Ballot, Filters, Unit
from puna.arena.checks import Checks
from puna.arena.lines import Answers, Line, Sureness, answers_by_player, lines, with_sureness
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
from puna.errors import BadRequest

Certainty = Literal["posterior", "laplace"]

MANY = 1000
"""Battles from which `laplace` is as good as the exact posterior."""

MAX_PLAYERS = 300
"""Of one board: the fit's memory grows with the cube of it."""

MAX_BOARDS = 50
"""Groups that never met, the largest first; smaller ones than these are left out."""


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
    fitted: Fit
    certainty: Certainty  # of the intervals that are in it
    to_settle: int | None  # votes that would tell the first two apart; None where there is no gap
    left: Share  # how often the left of two slots won
    shift: float = 0.0  # points by which an anchor moves all ratings
    checks: Checks | None = None  # None while nobody has looked

    def refinable(self, method: Method) -> bool:
        """Its exact intervals are wanted, and not in it."""
        return method.certainty != self.certainty and self.fitted.games.battles < MANY

    def checkable(self, method: Method) -> bool:
        """More than a first look is wanted, and its checks are not in it."""
        return method.certainty == "posterior" and self.checks is None


DEFAULT_FILTERS = Filters()
DEFAULT_METHOD = Method()


def leaderboards(
    ballots: Iterable[Ballot], filters: Filters = DEFAULT_FILTERS, method: Method = DEFAULT_METHOD
) -> tuple[Board, ...]:
    """A board for each group of players that met, the 50 largest; none without a countable vote.

    Raises `BadRequest` for a group that is too large.
    """
    kept = [ballot for ballot in ballots if filters.keep(ballot)]
    boards = quick_boards(kept, filters.min_games, method)
    exact = [refined(board, method) if board.refinable(method) else board for board in boards]
    return tuple(checked(board, kept, method) if board.checkable(method) else board for board in exact)


def quick_boards(kept: Sequence[Ballot], min_games: int, method: Method) -> tuple[Board, ...]:
    """As `leaderboards`, of what a filter kept, and all of it by `laplace`: what is shown first (L6)."""
    rows = _of_frequent_players([row for ballot in kept for row in rows_of(ballot, method)], min_games)
    groups = separate_boards(rows)[:MAX_BOARDS]
    if groups and len(groups[0]) > MAX_PLAYERS:
        raise BadRequest(f"More than {MAX_PLAYERS} players on one board: choose a larger unit, or more games for each")
    place = {name: index for index, members in enumerate(groups) for name in members}
    answers = answers_by_player(kept, method.unit)
    boards_rows, scores = _rows_by_board(rows, place), _left_scores_by_board(kept, place, method.unit)
    return tuple(_board(boards_rows[index], scores[index], answers, method) for index in range(len(groups)))


def refined(board: Board, method: Method) -> Board:
    """The same with the exact intervals. It takes up to a second."""
    draws = posterior(board.fitted, seed=method.seed)
    sureness = Sureness(draws.interval(), draws, board.shift)
    return replace(board, lines=with_sureness(board.lines, board.fitted, sureness), certainty="posterior")


def checked(board: Board, kept: Iterable[Ballot], method: Method) -> Board:
    """The same with its checks; `kept` is what the filter left. It takes up to a second."""
    return replace(board, checks=Checks.of(board.fitted.games, kept, method.unit, method.both_bad))


def rows_of(ballot: Ballot, method: Method) -> tuple[Row, ...]:
    """The comparisons that the ballot makes; those of one player with itself are left out (L1)."""
    players = ballot.players(method.unit)
    return ballot.verdict.rows(players, ballot.battle, weight=ballot.weight, both_bad=method.both_bad)


def _board(rows: Sequence[Row], left_scores: Sequence[float], answers: Mapping[str, Answers], method: Method) -> Board:
    fitted = fit(Games.of(reweight(rows) if method.reweighted else rows))
    shift = _shift(fitted, method.anchor)
    table = lines(answers, fitted, Sureness(laplace(fitted), normal(fitted, seed=method.seed), shift))
    return Board(
        lines=table,
        fitted=fitted,
        certainty="laplace",
        to_settle=votes_to_settle(table[0].rating - table[1].rating),
        left=left_rate(left_scores),
        shift=shift,
    )


def _shift(fitted: Fit, anchor: tuple[str, float] | None) -> float:
    """A board without the anchor stays around 1000."""
    if anchor is None or anchor[0] not in fitted.players:
        return 0.0
    return anchor[1] - float(fitted.ratings[fitted.players.index(anchor[0])])


def _of_frequent_players(rows: Sequence[Row], min_games: int) -> Sequence[Row]:
    if min_games <= 1:
        return rows
    seats = {(name, row.battle) for row in rows for name in row.pair}  # a ranking of six is one game
    games = Counter(name for name, _ in seats)
    return [row for row in rows if min(games[row.first], games[row.second]) >= min_games]


def _rows_by_board(rows: Iterable[Row], place: Mapping[str, int]) -> Mapping[int, list[Row]]:
    found: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if row.first in place:
            found[place[row.first]].append(row)
    return found


def _left_scores_by_board(ballots: Iterable[Ballot], place: Mapping[str, int], unit: Unit) -> Mapping[int, list[float]]:
    """Of battles among players of one board; two settings of one model may have met there, whatever the unit."""
    found: defaultdict[int, list[float]] = defaultdict(list)
    for ballot in ballots:
        score = ballot.left_score
        boards = {place.get(entry.name(unit), -1) for entry in ballot.entries}
        if score is not None and len(boards) == 1:
            found[boards.pop()].append(score)
    return found
