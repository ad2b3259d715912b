"""What can be voted, and the rows that a vote makes (contract arena §2.3 V2, V3, §2.4; §2.6 L1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.arena.ratings import Row
from puna.arena.verdicts import Verdict
from puna.errors import BadRequest

NAMES = {letter: letter.lower() for letter in "ABCDEF"}


def rows(verdict: Verdict) -> list[tuple[str, str, float, float]]:
    return [(row.first, row.second, row.score, row.weight) for row in verdict.rows(NAMES, "battle")]


@pytest.mark.parametrize(("choice", "score"), [("A", 1.0), ("B", 0.0), ("tie", 0.5), ("both_bad", 0.5)])
def test_V2_two_slots_make_one_row_of_weight_one(choice: str, score: float) -> None:
    assert rows(Verdict.of("AB", choice)) == [("a", "b", score, 1.0)]


def test_V2_both_bad_can_be_dropped() -> None:
    verdict = Verdict.of("AB", "both_bad")
    assert verdict.rows(NAMES, "battle", both_bad="drop") == ()
    assert Verdict.of("AB", "tie").rows(NAMES, "battle", both_bad="drop") != ()


def test_V2_best_of_four_makes_three_rows_and_says_nothing_of_the_others() -> None:
    assert rows(Verdict.of("ABCD", "C")) == [("a", "c", 0.0, 0.5), ("b", "c", 0.0, 0.5), ("c", "d", 1.0, 0.5)]


def test_V2_a_ranking_with_equals_makes_a_row_of_every_pair() -> None:
    verdict = Verdict.of("ABC", ranking=[["B"], ["A", "C"]])
    assert rows(verdict) == [("a", "b", 0.0, 2 / 3), ("a", "c", 0.5, 2 / 3), ("b", "c", 1.0, 2 / 3)]


def test_V2_a_tie_of_four_makes_six_rows() -> None:
    assert [score for _, _, score, _ in rows(Verdict.of("ABCD", "tie"))] == [0.5] * 6


def test_a_weight_is_that_of_every_row() -> None:
    assert [row.weight for row in Verdict.of("ABCD", "A").rows(NAMES, "battle", weight=3)] == [1.5] * 3


def test_L1_rows_of_one_player_drop_out() -> None:
    verdict = Verdict.of("ABC", ranking=[["A"], ["B"], ["C"]])
    made = verdict.rows({"A": "x", "B": "x", "C": "y"}, "battle")
    assert made == (Row("x", "y", 1.0, 2 / 3, "battle"), Row("x", "y", 1.0, 2 / 3, "battle"))


def test_V10_two_likes_make_no_loser() -> None:
    assert rows(Verdict.of_likes("AB", "")) == rows(Verdict.of_likes("", "AB")) == rows(Verdict.of_likes("", "")) == []


def test_V10_a_like_and_a_dislike_of_one_turn_make_a_row() -> None:
    assert rows(Verdict.of_likes("B", "A")) == [("a", "b", 0.0, 1.0)]
    assert rows(Verdict.of_likes("AC", "BD")) == [
        ("a", "b", 1.0, 0.5), ("a", "d", 1.0, 0.5), ("b", "c", 0.0, 0.5), ("c", "d", 1.0, 0.5)
    ]  # fmt: skip
    assert Verdict.of_likes("A", "B").rows({"A": "x", "B": "x"}, "turn") == ()


@given(st.permutations("ABCDE"))
def test_V2_letters_never_decide_who_won(order: list[str]) -> None:
    verdict = Verdict.of("ABCDE", ranking=[[slot] for slot in order])
    for row in verdict.rows(NAMES, "battle"):
        assert row.score == float(order.index(row.first.upper()) < order.index(row.second.upper()))


@pytest.mark.parametrize(
    ("choice", "ranking"),
    [
        (None, None),
        ("A", [["A"], ["B"]]),
        ("C", None),
        ("a", None),
        ("", None),
        ("AB", None),
        (1, None),
        (["A"], None),
        (None, "AB"),
        (None, []),
        (None, [["A"]]),
        (None, [["A"], ["A", "B"]]),
        (None, [["A"], [], ["B"]]),
        (None, [["A"], ["C"]]),
        (None, ["A", "B"]),
        (None, [["A"], [1]]),
        (None, [["A"], [["B"]]]),
        (None, {"A": 1}),
    ],
)
def test_V3_anything_else_is_an_invalid_choice(choice: object, ranking: object) -> None:
    with pytest.raises(BadRequest, match=r"^Invalid choice$"):
        Verdict.of(("A", "B"), choice, ranking)
