"""The golden vectors of contract arena §2.5: ratings and `laplace` within 0.05, sampled ends within 15."""

from __future__ import annotations

import pytest

from puna.arena.ratings import (
    Games,
    Row,
    chance_better,
    fit,
    laplace,
    live_elo,
    posterior,
    votes_to_settle,
)
from puna.arena.verdicts import Verdict
from tests.arena.ratings.boards import Tally, games_of

ONE, TEN, TIES, CLOSE = ("X", "Y", 1, 0, 0), ("X", "Y", 10, 0, 0), ("X", "Y", 0, 0, 5), ("X", "Y", 60, 40, 0)
THREE = (("A", "B", 6, 2, 2), ("B", "C", 5, 3, 0), ("A", "C", 7, 1, 0))


@pytest.mark.parametrize(
    ("tally", "x", "y", "half"),
    [
        (ONE, 1145.41, 854.59, 357.1),
        (TEN, 1295.82, 704.18, 267.5),
        (TIES, 1000, 1000, 146.8),
        (CLOSE, 1035.08, 964.92, 34.7),
    ],
)
def test_G25_two_players_are_rated_as_the_contract_says(tally: Tally, x: float, y: float, half: float) -> None:
    fitted = fit(games_of(tally))
    assert fitted.ratings == pytest.approx([x, y], abs=0.05)
    assert laplace(fitted).half == pytest.approx([half, half], abs=0.05)


@pytest.mark.parametrize(
    ("tally", "low", "high"),
    [(ONE, 841.7, 1633.9), (TEN, 1123.8, 1723.4), (TIES, 838.3, 1161.7), (CLOSE, 1000.9, 1070.7)],
)
def test_G25_samples_find_the_exact_posterior(tally: Tally, low: float, high: float) -> None:
    interval = posterior(fit(games_of(tally))).interval()
    assert (interval.low[0], interval.high[0]) == pytest.approx((low, high), abs=15)
    assert (2000 - interval.high[1], 2000 - interval.low[1]) == pytest.approx((low, high), abs=15)


def test_G25_three_players_with_ties() -> None:
    fitted = fit(games_of(*THREE))
    interval = laplace(fitted)
    assert fitted.ratings == pytest.approx([1146.42, 981.81, 871.78], abs=0.05)
    assert interval.low == pytest.approx([1019.5, 867.5, 741.4], abs=0.05)
    assert interval.high == pytest.approx([1273.3, 1096.1, 1002.2], abs=0.05)
    assert interval.ranks == (1, 1, 2)
    assert fitted.chances[0, 1] == pytest.approx(0.721, abs=0.0005)
    assert chance_better(fitted, 0, 1) == pytest.approx(0.944, abs=0.0005)
    assert posterior(fitted).better(0, 1) == pytest.approx(0.944, abs=0.02)


def test_G25_a_ranking_of_three() -> None:
    verdict = Verdict.of("ABC", ranking=[["A"], ["B"], ["C"]])
    fitted = fit(Games.of(verdict.rows({"A": "a", "B": "b", "C": "c"}, "battle")))
    assert fitted.ratings == pytest.approx([1201.50, 1000.00, 798.50], abs=0.05)


def test_G25_live_elo_after_x_x_y_tie() -> None:
    points = live_elo(Row("X", "Y", score) for score in (1.0, 1.0, 0.0, 0.5))
    assert points == pytest.approx({"X": 1006.60, "Y": 993.40}, abs=0.005)


@pytest.mark.parametrize(("gap", "votes"), [(20, 1164), (35, 383), (50, 190), (100, 51), (200, 16), (400, 9)])
def test_G25_votes_that_settle_a_gap(gap: float, votes: int) -> None:
    assert votes_to_settle(gap) == votes_to_settle(-gap) == votes


def test_G25_no_gap_is_never_settled() -> None:
    assert votes_to_settle(0) is None
