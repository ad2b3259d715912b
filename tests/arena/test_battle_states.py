"""A battle from its first token to the vote and after (contract arena §2.3 V1-V4, V9)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from puna.arena.battle import MAX_TURNS, Battle, BattleConflict, seat
from puna.arena.verdicts import Verdict

A_WINS = Verdict.of("AB", "A")
NOT_READY, RECORDED, REVEALED = "Battle not ready", "Vote already recorded", "Identities already revealed"


def ready(now: float = 100.0, *, blind: bool = True) -> Battle:
    return Battle(("A", "B"), blind=blind).slot_finished("A", now - 5).slot_finished("B", now)


def test_V1_a_battle_is_ready_when_every_slot_has_finished() -> None:
    battle = Battle(("A", "B", "C"))
    for slot in "AC":
        battle = battle.slot_finished(slot, 1.0).slot_finished(slot, 1.0)
        assert battle.state == "streaming"
    assert battle.slot_finished("B", 2.0).state == "ready"


def test_V1_a_failed_slot_makes_it_void_whatever_the_others_do() -> None:
    battle = Battle(("A", "B")).slot_finished("A", 1.0).slot_failed()
    assert battle.slot_finished("B", 2.0).state == "void"
    assert not battle.identities_shown


def test_V1_a_vote_reveals_and_counts() -> None:
    battle = ready().vote(A_WINS, 110.0)
    assert (battle.state, battle.verdict, battle.counts, battle.identities_shown) == ("voted", A_WINS, True, True)


@pytest.mark.parametrize(("end", "shown"), [(Battle.skip, False), (Battle.reveal, True)])
def test_V1_a_skip_tells_nothing_and_a_reveal_tells_all(end: Callable[[Battle], Battle], shown: bool) -> None:
    assert not ready().identities_shown
    assert (end(ready()).identities_shown, end(ready()).counts) == (shown, False)


def test_V1_a_vote_is_undone_within_30_seconds_and_the_battle_is_void() -> None:
    voted = ready().vote(A_WINS, 110.0)
    undone = voted.undo(140.0)
    assert (undone.state, undone.counts, undone.identities_shown) == ("void", False, True)
    with pytest.raises(BattleConflict, match="30 seconds"):
        voted.undo(140.1)
    for battle in (ready(), undone):
        with pytest.raises(BattleConflict, match="No vote to undo"):
            battle.undo(111.0)


def test_V1_further_turns_stream_again_up_to_twenty() -> None:
    battle = ready()
    for turn in range(2, MAX_TURNS + 1):
        battle = battle.further_turn()
        assert (battle.state, battle.turns) == ("streaming", turn)
        battle = battle.slot_finished("B", 1.0).slot_finished("A", 1.0)
    with pytest.raises(BattleConflict, match="at most 20 turns"):
        battle.further_turn()
    assert battle.vote(A_WINS, 10.0).counts


def test_V1_chatting_on_after_the_vote_changes_nothing_of_it() -> None:
    voted = ready().vote(A_WINS, 110.0)
    after = voted.further_turn().slot_finished("A", 111.0).slot_failed()
    assert (after.state, after.verdict, after.turns) == ("voted", A_WINS, 2)
    assert ready().reveal().further_turn().state == "revealed"
    assert voted.undo(111.0).further_turn().state == "void"


@pytest.mark.parametrize(
    ("battle", "text"),
    [
        (Battle(("A", "B")), NOT_READY),
        (Battle(("A", "B")).slot_failed(), NOT_READY),
        (ready().vote(A_WINS, 110.0), RECORDED),
        (ready().skip(), RECORDED),
        (ready().reveal(), REVEALED),
    ],
)
def test_V3_a_second_vote_or_one_too_early_is_a_conflict(battle: Battle, text: str) -> None:
    for move in (lambda: battle.vote(A_WINS, 111.0), battle.skip):
        with pytest.raises(BattleConflict, match=f"^{text}$") as caught:
            move()
        assert caught.value.status == 409


def test_V3_what_is_revealed_is_not_revealed_again() -> None:
    for battle in (ready().vote(A_WINS, 110.0), ready().reveal(), ready(blind=False)):
        with pytest.raises(BattleConflict, match=f"^{REVEALED}$"):
            battle.reveal()
    for battle in (Battle(("A", "B")), ready().skip()):
        with pytest.raises(BattleConflict):
            battle.reveal()


@pytest.mark.parametrize("battle", [Battle(("A", "B")), Battle(("A", "B")).slot_failed(), ready().skip()])
def test_V3_no_further_turn_before_the_answers_or_after_the_end(battle: Battle) -> None:
    with pytest.raises(BattleConflict, match=f"^{NOT_READY}$"):
        battle.further_turn()


def test_V4_slot_order_is_a_fair_coin() -> None:
    rng = random.Random(7)
    left = Counter(seat(["x", "y"], rng)["A"] for _ in range(2000))
    assert 900 < left["x"] < 1100
    assert seat(list("uvwxyz"), rng).keys() == set("ABCDEF")


@pytest.mark.parametrize("count", [0, 1, 7])
def test_V2_a_battle_has_two_to_six_slots(count: int) -> None:
    with pytest.raises(ValueError, match="2 to 6"):
        seat(list(range(count)), random.Random(7))


@pytest.mark.parametrize(("after", "fast"), [(1.9, True), (2.0, False)])
def test_V9_votes_under_two_seconds_are_flagged(after: float, fast: bool) -> None:
    assert ready(100.0).vote(A_WINS, 100.0 + after).fast is fast


def test_V9_named_comparisons_may_be_voted_on() -> None:
    battle = ready(blind=False)
    assert battle.identities_shown
    assert battle.vote(A_WINS, 110.0).counts
