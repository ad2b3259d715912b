"""What holds of every board, whatever was voted."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.arena.ratings import (
    POINTS,
    Games,
    Row,
    bootstrap,
    fit,
    laplace,
    normal,
    pair_counts,
    posterior,
    reweight,
    sandwich,
    separate_boards,
)
from tests.arena.ratings.boards import games_of, rows_of

ROW = st.tuples(st.permutations("ABCDEF"), st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.1, 3)).map(
    lambda drawn: Row(drawn[0][0], drawn[0][1], drawn[1], drawn[2])
)
ROWS = st.lists(ROW, min_size=1, max_size=25).map(
    lambda rows: [replace(row, battle=str(index // 2)) for index, row in enumerate(rows)]
)
few = settings(max_examples=40, deadline=None)


@few
@given(ROWS)
def test_strengths_add_up_to_nothing(rows: list[Row]) -> None:
    fitted = fit(Games.of(rows))
    assert fitted.theta.sum() == pytest.approx(0, abs=1e-7)
    assert np.abs(fitted.model.gradient(fitted.theta)).max() < 1e-6


@few
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_votes_is_without_effect(rows: list[Row], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = fit(Games.of(rows)), fit(Games.of(shuffled))
    assert one.ratings == pytest.approx(other.ratings, abs=1e-4)
    assert sandwich(one).half == pytest.approx(sandwich(other).half, abs=1e-4)


@few
@given(ROWS)
def test_swapping_sides_changes_nothing_and_swapping_results_mirrors_the_board(rows: list[Row]) -> None:
    fitted = fit(Games.of(rows))
    sides = fit(Games.of([replace(row, first=row.second, second=row.first, score=1 - row.score) for row in rows]))
    results = fit(Games.of([replace(row, score=1 - row.score) for row in rows]))
    assert sides.ratings == pytest.approx(fitted.ratings, abs=1e-4)
    assert results.theta == pytest.approx(-fitted.theta, abs=1e-6)
    assert laplace(results).half == pytest.approx(laplace(fitted).half, abs=1e-3)


@few
@given(ROWS)
def test_ranks_start_at_one_and_nobody_clearly_worse_stands_above(rows: list[Row]) -> None:
    interval = laplace(fit(Games.of(rows)))
    assert min(interval.ranks) == 1
    for one, rank in enumerate(interval.ranks):
        assert rank == 1 + sum(low > interval.high[one] for low in interval.low)


@few
@given(ROWS)
def test_one_more_win_never_lowers_a_rating(rows: list[Row]) -> None:
    before, after = fit(Games.of(rows)), fit(Games.of([*rows, replace(rows[0], score=1.0, battle="more")]))
    winner = before.players.index(rows[0].first)
    assert after.ratings[winner] >= before.ratings[winner] - 1e-6


@few
@given(ROWS)
def test_separate_boards_share_no_game_and_leave_nobody_out(rows: list[Row]) -> None:
    groups = separate_boards(rows)
    assert sorted(name for group in groups for name in group) == sorted({name for row in rows for name in row.pair})
    assert all(sum(row.first in group or row.second in group for group in groups) == 1 for row in rows)


def test_L4_groups_without_a_path_of_games_are_separate() -> None:
    rows = rows_of(("A", "B", 1, 0, 0), ("C", "D", 1, 0, 0), ("D", "E", 1, 0, 0), ("C", "E", 1, 0, 0))
    assert separate_boards(rows) == (frozenset("CDE"), frozenset("AB"))


def test_the_same_seed_gives_the_same_samples() -> None:
    fitted = fit(games_of(("A", "B", 3, 2, 1), ("B", "C", 3, 1, 0)))
    assert (posterior(fitted, samples=50).thetas == posterior(fitted, samples=50).thetas).all()
    assert (posterior(fitted, samples=50).thetas != posterior(fitted, samples=50, seed=8).thetas).any()


def test_samples_are_centred_and_somebody_is_best() -> None:
    fitted = fit(games_of(("A", "B", 3, 2, 1), ("B", "C", 3, 1, 0)))
    for draws in (posterior(fitted), normal(fitted)):
        assert np.abs(draws.thetas.sum(axis=1)).max() < 1e-9
        assert draws.best().sum() == pytest.approx(1)
        assert draws.best().argmax() == 0
    assert normal(fitted).thetas.std(axis=0) * POINTS == pytest.approx(laplace(fitted).half / 1.96, rel=0.05)


def test_one_pair_with_many_votes_does_not_hold_up_the_others() -> None:
    """C met A four times, A met B three hundred times: two runs agree on C nevertheless."""
    fitted = fit(games_of(("A", "B", 160, 140, 0), ("A", "C", 3, 1, 0)))
    one, other = (posterior(fitted, seed=seed).interval() for seed in (1, 2))
    assert one.half[2] == pytest.approx(other.half[2], rel=0.1)


def test_resampled_intervals_agree_with_the_formula_on_many_votes() -> None:
    fitted = fit(games_of(("A", "B", 120, 80, 0), ("B", "C", 110, 90, 0), ("A", "C", 130, 70, 0)))
    want = pytest.approx(laplace(fitted).half, rel=0.15)
    assert bootstrap(fitted, resamples=300).half == want
    assert sandwich(fitted).half == want


def test_rows_of_one_battle_are_resampled_together() -> None:
    """The same vote ten times over is ten times one battle's word, not ten battles'."""
    rows = rows_of(("A", "B", 6, 4, 0))
    copied = [row for row in rows for _ in range(10)]
    apart = [replace(row, battle=str(index)) for index, row in enumerate(copied)]
    together_half, apart_half = (sandwich(fit(Games.of(each))).half[0] for each in (copied, apart))
    assert together_half == pytest.approx(apart_half * 10**0.5, rel=1e-6)


def test_reweight_lets_no_over_played_pair_rule() -> None:
    rows = rows_of(("A", "B", 500, 0, 0), ("A", "C", 10, 0, 0))
    weights = [row.weight for row in reweight(rows)]
    assert sum(weights) / len(weights) == pytest.approx(1)
    assert sum(weights[:500]) == pytest.approx(5 * sum(weights[500:]))  # 500/500 against 10/50
    assert pair_counts(rows) == {("A", "B"): 500, ("A", "C"): 10}


def test_a_player_without_games_stands_in_the_middle_with_the_widest_interval() -> None:
    fitted = fit(Games.of(rows_of(("A", "B", 3, 1, 0)), ["new"]))
    assert fitted.ratings[fitted.players.index("new")] == pytest.approx(1000)
    assert laplace(fitted).half.argmax() == fitted.players.index("new")


def test_nobody_plays_alone() -> None:
    with pytest.raises(ValueError, match="two different players"):
        Games.of([Row("A", "A", 1.0)])
