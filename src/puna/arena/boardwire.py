"""Boards as the API tells them (contract arena §2.6 L2, L4; §2.2 `/leaderboard`, `/matrix`). Pure."""

from __future__ import annotations

from typing import Any

from puna.arena.board import Board
from puna.arena.lines import Line
from puna.arena.meetings import Meetings
from puna.arena.ratings import Share
from puna.arena.standings import Standing

Json = dict[str, Any]


def leaderboard(standing: Standing) -> Json:
    """`categories`, `sets` and `languages` are those of all votes: what a filter can be set to."""
    votes = standing.votes
    return {
        "votes": len(votes),
        "kept": len(standing.kept),
        "boards": [_board(board, refining=standing.is_refining(board)) for board in standing.boards],
        "categories": sorted(frozenset().union(*(vote.categories for vote in votes))),
        "sets": sorted({vote.prompt_set for vote in votes if vote.prompt_set}),
        "languages": sorted({vote.language for vote in votes if vote.language}),
    }


def matrix(standing: Standing) -> Json:
    """For each board players × players, both in the order of the ratings."""
    return {"boards": [_matrix(board) for board in standing.boards]}


def _matrix(board: Board) -> Json:
    met = Meetings.of(board)
    return {
        "players": list(met.players),
        "games": met.games.astype(int).tolist(),
        "wins": met.wins.tolist(),
        "chance": met.chance.round(4).tolist(),
    }


def _board(board: Board, *, refining: bool) -> Json:
    return {
        "certainty": board.certainty,
        "refining": refining,
        "to_settle": board.to_settle,
        "left": _left(board.left),
        "checks": _checks(board),
        "lines": [_line(line) for line in board.lines],
    }


def _checks(board: Board) -> Json | None:
    """None while they are on their way. Rates are by player."""
    if board.checks is None:
        return None
    rates = board.checks.length_corrected
    return {
        "fragility": board.checks.fragility,
        "votes": board.fitted.games.battles,
        "length_corrected": {name: round(rate, 4) for name, rate in sorted(rates.items())},
    }


def _left(left: Share) -> Json:
    return {
        "rate": round(left.won / left.of, 4) if left.of else None,
        "low": round(left.low, 4),
        "high": round(left.high, 4),
        "games": left.of,
        "warn": left.unfair,
    }


def _line(line: Line) -> Json:
    return {
        "rank": line.rank,
        "name": line.name,
        "rating": round(line.rating, 2),
        "low": round(line.low, 2),
        "high": round(line.high, 2),
        "best": round(line.best, 4),
        "games": line.games,
        "wins": line.wins,
        "losses": line.losses,
        "ties": line.ties,
        "win_rate": round(line.win_rate, 4),
        "bad_rate": round(line.bad_rate, 4),
        "mean_tokens": _rounded(line.mean_tokens, 1),
        "tokens_per_s": _rounded(line.median_tokens_per_s, 2),
        "first_token_s": _rounded(line.median_first_token_s, 3),
        "last_played": line.last_played.isoformat(),
        "provisional": line.provisional,
    }


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)
