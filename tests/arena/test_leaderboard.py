"""The leaderboard from stored votes (contract arena §2.6 L1-L4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from puna.arena.ballots import Filters
from puna.arena.board import Board, Method, leaderboards
from puna.arena.lines import Line
from puna.arena.ratings import fit, votes_to_settle
from tests.arena.polls import START, ballot, votes
from tests.arena.ratings.boards import games_of

QUICK = Method(certainty="laplace")


def lines_of(board: Board) -> dict[str, Line]:
    return {line.name: line for line in board.lines}


def test_L2_a_line_has_every_column() -> None:
    (board,) = leaderboards(votes(("xy", "A", 6), ("yx", "A", 2), ("xy", "tie", 1), ("yx", "both_bad", 1)))
    x, y = board.lines
    assert (x.name, x.games, x.wins, x.losses, x.ties) == ("x", 10, 6, 2, 2)
    assert (y.name, y.games, y.wins, y.losses, y.ties) == ("y", 10, 2, 6, 2)
    assert (x.win_rate, x.bad_rate) == (0.7, 0.1)
    assert x.mean_tokens == pytest.approx(130)  # seven times left at 100, three times right at 200
    assert (x.median_tokens_per_s, x.median_first_token_s) == (10.0, 0.1)
    assert x.last_played == START + timedelta(hours=9)
    assert x.rating == pytest.approx(fit(games_of(("x", "y", 6, 2, 2))).ratings[0])
    assert x.low < x.rating < x.high
    assert x.best + y.best == pytest.approx(1)
    assert (x.rank, board.certainty) == (1, "posterior")


def test_L2_unknown_measures_are_none_and_known_ones_stand_alone() -> None:
    one, other = votes(("xy", "A", 2))
    blank = tuple(replace(entry, tokens=None, tokens_per_s=None, first_token_s=None) for entry in one.entries)
    (board,) = leaderboards([replace(one, entries=blank)], method=QUICK)
    assert board.lines[0].mean_tokens is board.lines[0].median_tokens_per_s is None
    (board,) = leaderboards([replace(one, entries=blank), other], method=QUICK)
    assert board.lines[0].mean_tokens == 100


def test_V2_both_bad_counts_in_the_bad_rate_even_where_its_rows_are_dropped() -> None:
    given = votes(("xy", "A", 3), ("xy", "both_bad", 1))
    (board,) = leaderboards(given, method=replace(QUICK, both_bad="drop"))
    assert (board.lines[0].games, board.lines[0].ties, board.lines[0].bad_rate) == (3, 0, 0.25)


def test_L1_units_regroup_and_rows_inside_one_group_drop_out() -> None:
    given = votes(("xX", "A", 2), ("xy", "A", 3), ("Xy", "B", 1))
    (instances,) = leaderboards(given, method=QUICK)
    assert lines_of(instances).keys() == {"x", "X", "y"}
    (models,) = leaderboards(given, method=replace(QUICK, unit="model"))
    assert {name: (line.wins, line.losses, line.games) for name, line in lines_of(models).items()} == {
        "x": (3, 1, 4),
        "y": (1, 3, 4),
    }
    assert leaderboards(given, method=replace(QUICK, unit="family")) == ()


@pytest.mark.parametrize(
    ("filters", "more", "kept"),
    [
        (Filters(), {}, True),
        (Filters(), {"voter": "judge"}, False),
        (Filters(voter="judge"), {"voter": "judge"}, True),
        (Filters(voter="judge"), {}, False),
        (Filters(voter="combined"), {"voter": "judge"}, True),
        (Filters(), {"blind": False}, False),
        (Filters(blind_only=False), {"blind": False}, True),
        (Filters(category="code"), {}, False),
        (Filters(category="code"), {"categories": frozenset({"code", "long"})}, True),
        (Filters(prompt_set="mine"), {"prompt_set": "other"}, False),
        (Filters(prompt_set="mine"), {"prompt_set": "mine"}, True),
        (Filters(language="de"), {"language": "en"}, False),
        (Filters(language="de"), {"language": "de"}, True),
        (Filters(since=START), {}, True),
        (Filters(since=START + timedelta(seconds=1)), {}, False),
        (Filters(until=START), {}, False),
        (Filters(until=START + timedelta(seconds=1)), {}, True),
        (Filters(), {"fast": True}, True),
        (Filters(fast=False), {"fast": True}, False),
    ],
)
def test_L3_filters(filters: Filters, more: dict[str, Any], kept: bool) -> None:
    assert bool(leaderboards([ballot(0, "xy", "A", **more)], filters, QUICK)) is kept


@pytest.mark.parametrize(
    ("leak", "filters", "kept"),
    [("hard", Filters(), False), ("soft", Filters(), True), ("soft", Filters(soft_leaks=False), False)],
)
def test_V8_hard_leaks_are_never_rated_and_soft_ones_can_be_left_out(leak: Any, filters: Filters, kept: bool) -> None:
    clean = ballot(0, "xy", "A")
    leaky = replace(clean, entries=(clean.entries[0], replace(clean.entries[1], leak=leak)))
    assert bool(leaderboards([leaky], filters, QUICK)) is kept


def test_L3_min_games_drops_players_and_refits() -> None:
    given = votes(("xy", "A", 5), ("xz", "B", 2))
    (board,) = leaderboards(given, Filters(min_games=3), QUICK)
    assert lines_of(board).keys() == {"x", "y"}
    assert lines_of(board)["x"].rating == pytest.approx(fit(games_of(("x", "y", 5, 0, 0))).ratings[0])


def test_L4_groups_that_never_met_are_separate_boards() -> None:
    wide, small = leaderboards(votes(("xy", "A", 2), ("zx", "A", 2), ("vw", "A", 2)), method=QUICK)
    assert lines_of(wide).keys() == {"x", "y", "z"}
    assert lines_of(small).keys() == {"v", "w"}


def test_L4_few_games_or_a_wide_interval_are_provisional() -> None:
    (board,) = leaderboards(votes(("xy", "A", 5), ("xy", "B", 4)), method=QUICK)
    assert all(line.provisional for line in board.lines), "9 games"
    (board,) = leaderboards(votes(("xy", "A", 6), ("xy", "B", 4)), method=QUICK)
    assert not any(line.provisional for line in board.lines)
    (board,) = leaderboards(votes(("xy", "A", 12)), method=QUICK)
    assert all(line.provisional for line in board.lines), "wider than 150 to each side"


def test_L4_votes_that_would_settle_the_first_two_stand_beside_them() -> None:
    (board,) = leaderboards(votes(("xy", "A", 6), ("xy", "B", 4)), method=QUICK)
    assert board.to_settle == votes_to_settle(board.lines[0].rating - board.lines[1].rating)
    (tied,) = leaderboards(votes(("xy", "tie", 4)), method=QUICK)
    assert tied.to_settle is None


def test_a_left_slot_that_always_wins_is_seen_whoever_sat_there() -> None:
    (board,) = leaderboards(votes(("xy", "A", 10), ("yx", "A", 10), ("xy", "tie", 5)), method=QUICK)
    assert (board.left.won, board.left.of, board.left.unfair) == (20, 20, True)


def test_a_ranking_of_many_is_one_game() -> None:
    (board,) = leaderboards([ballot(0, "xyzw", "B")], method=QUICK)
    assert {name: (line.games, line.wins, line.losses) for name, line in lines_of(board).items()} == {
        "y": (1, 3, 0), "x": (1, 0, 1), "z": (1, 0, 1), "w": (1, 0, 1),
    }  # fmt: skip


def test_reweighting_and_weights_reach_the_fit() -> None:
    given = votes(("xy", "A", 120), ("zx", "A", 3), ("yz", "A", 3))
    plain, even = (leaderboards(given, method=replace(QUICK, reweighted=on))[0] for on in (False, True))
    assert lines_of(plain)["y"].rating < lines_of(even)["y"].rating
    (heavy,) = leaderboards([replace(one, weight=3.0) for one in votes(("xy", "A", 1))], method=QUICK)
    assert heavy.lines[0].rating == pytest.approx(fit(games_of(("x", "y", 3, 0, 0))).ratings[0])


def test_an_anchor_moves_all_ratings_of_its_board() -> None:
    given = votes(("xy", "A", 3), ("yz", "A", 1), ("vw", "A", 2))
    plain, anchored = (leaderboards(given, method=replace(QUICK, anchor=anchor)) for anchor in (None, ("y", 1200.0)))
    assert lines_of(anchored[0])["y"].rating == 1200
    for before, after in zip(plain[0].lines, anchored[0].lines, strict=True):
        assert after.rating - after.low == pytest.approx(before.rating - before.low)
        assert after.rating - lines_of(anchored[0])["y"].rating == pytest.approx(
            before.rating - lines_of(plain[0])["y"].rating
        )
    assert anchored[1].lines == plain[1].lines


def test_large_boards_stay_with_laplace() -> None:
    (board,) = leaderboards(votes(("xy", "A", 600), ("xy", "B", 400)))
    assert board.certainty == "laplace"


def test_without_a_vote_there_is_no_board() -> None:
    assert leaderboards([]) == ()
