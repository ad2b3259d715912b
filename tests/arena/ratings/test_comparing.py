"""Left-slot rate, fragility, live Elo: what else is told beside a board (contract arena §2.5)."""

from __future__ import annotations

import pytest

from puna.arena.ratings import Row, Share, fragility, left_rate, live_elo
from tests.arena.ratings.boards import games_of


@pytest.mark.parametrize(
    ("won", "of", "low", "high"),
    [(0, 0, 0.0, 1.0), (5, 10, 0.2366, 0.7634), (0, 10, 0.0, 0.2775), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_intervals_are_the_textbook_ones(won: int, of: int, low: float, high: float) -> None:
    share = Share.wilson(won, of)
    assert (share.low, share.high) == pytest.approx((low, high), abs=5e-5)


def test_a_left_slot_that_wins_too_often_is_reported() -> None:
    assert left_rate([1.0] * 30 + [0.0] * 10 + [0.5] * 50).unfair
    fair = left_rate([1.0] * 21 + [0.0] * 19)
    assert (fair.won, fair.of, fair.unfair) == (21, 40, False)


def test_a_lead_of_one_vote_is_fragile_and_a_lead_of_fifty_is_not() -> None:
    assert fragility(games_of(("A", "B", 6, 5, 0))) == 2  # one makes them equal, the second turns them
    assert fragility(games_of(("A", "B", 60, 10, 0))) is None


def test_fragility_finds_the_vote_that_holds_the_lead_up() -> None:
    """A leads only by C, whom B never met: without that one win B leads."""
    assert fragility(games_of(("B", "A", 6, 5, 0), ("A", "C", 2, 0, 0))) == 1


def test_without_a_rival_nothing_is_fragile() -> None:
    assert fragility(games_of()) is None


def test_live_elo_depends_on_the_order_and_keeps_the_sum() -> None:
    votes = [Row("A", "B", 1.0), Row("B", "C", 1.0), Row("C", "A", 0.5)]
    one, other = live_elo(votes), live_elo(reversed(votes))
    assert one != pytest.approx(other)
    assert sum(one.values()) == pytest.approx(3000)
