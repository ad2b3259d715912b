"""Who meets whom, and with what probability (contract arena §2.4)."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest

from puna.arena.pairs import (
    MAX_STREAK,
    REST_S,
    challenger,
    draw,
    informative,
    least_played,
    prefer_loaded,
    rested,
    uniform,
)
from puna.arena.ratings import Games, fit, pair_counts
from tests.arena.ratings.boards import rows_of

THREE = rows_of(("A", "B", 6, 2, 2), ("B", "C", 5, 3, 0), ("A", "C", 7, 1, 0))


def test_G25_informative_prefers_what_is_least_known() -> None:
    odds = informative("ABC", fit(Games.of(THREE)))
    assert odds == pytest.approx({("A", "B"): 0.302, ("A", "C"): 0.339, ("B", "C"): 0.359}, abs=0.0005)


def test_informative_counts_newcomers_in() -> None:
    odds = informative("ABCN", fit(Games.of(THREE, "N")))
    assert sum(odds.values()) == pytest.approx(1)
    assert min(odds["A", "N"], odds["B", "N"], odds["C", "N"]) > max(odds["A", "B"], odds["A", "C"], odds["B", "C"])


def test_uniform_is_equal() -> None:
    assert uniform("CBAD") == pytest.approx(dict.fromkeys(combinations("ABCD", 2), 1 / 6))


def test_least_played_is_inverse_to_games() -> None:
    odds = least_played("ABCD", pair_counts(rows_of(("B", "A", 1, 0, 0), ("C", "A", 1, 1, 1))))
    assert odds["A", "B"] == pytest.approx(odds["A", "D"] / 2)
    assert odds["A", "C"] == pytest.approx(odds["A", "D"] / 4)
    assert sum(odds.values()) == pytest.approx(1)


def test_challenger_meets_everyone_alike() -> None:
    odds = challenger("ABC", "B")
    assert odds == {("A", "B"): 0.5, ("B", "C"): 0.5, ("A", "C"): 0.0}
    with pytest.raises(ValueError, match="no pair"):
        challenger("ABC", "Z")


def test_loaded_models_are_preferred_five_times_in_a_row() -> None:
    odds = uniform("ABCD")
    assert {pair for pair, chance in prefer_loaded(odds, "AB", 0).items() if chance} == {("A", "B")}
    one_loaded = prefer_loaded(odds, "A", MAX_STREAK - 1)
    assert {pair for pair, chance in one_loaded.items() if chance} == {("A", "B"), ("A", "C"), ("A", "D")}
    assert prefer_loaded(odds, "AB", MAX_STREAK) == odds
    assert prefer_loaded(odds, "", 0) == odds


def test_loaded_models_never_bring_in_a_pair_that_was_out() -> None:
    odds = prefer_loaded(challenger("ABCD", "D"), "AB", 0)
    assert odds == pytest.approx(dict(challenger("ABCD", "D")) | {("C", "D"): 0.0, ("A", "D"): 0.5, ("B", "D"): 0.5})


def test_a_failing_instance_rests_ten_minutes() -> None:
    assert rested("ABC", {"B": 1000.0}, 999.0 + REST_S) == ("A", "C")
    assert rested("ABC", {"B": 1000.0}, 1000.0 + REST_S) == ("A", "B", "C")


@pytest.mark.parametrize("slots", [2, 3])
def test_what_is_drawn_is_as_probable_as_it_says(slots: int) -> None:
    rng = random.Random(7)
    odds = least_played("ABCD", {("A", "B"): 3})
    drawn = [draw(odds, rng, slots) for _ in range(4000)]
    shares = {players: count / 4000 for players, count in Counter(one.players for one in drawn).items()}
    told = {one.players: one.probability for one in drawn}
    assert sum(told.values()) == pytest.approx(1)
    assert shares == pytest.approx(told, abs=0.03)


@pytest.mark.parametrize("slots", [1, 4])
def test_slots_need_as_many_instances(slots: int) -> None:
    with pytest.raises(ValueError, match="slots need"):
        draw(uniform("ABC"), random.Random(7), slots)


def test_one_instance_has_nobody_to_meet() -> None:
    with pytest.raises(ValueError, match="two different"):
        uniform(["A", "A"])
