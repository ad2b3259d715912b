"""Answers of a battle are uncovered at one pace, whoever wrote faster (contract arena §2.3 V7)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest

from puna.arena.pacing import SLOWEST_PER_S, Pacer

TICK = 0.05


@dataclass(frozen=True)
class Writer:
    """`length` characters in pieces, the first of them `after` seconds from the start."""

    length: int
    per_s: float
    after: float = 0.0
    piece: int = 4

    def arrivals(self) -> list[tuple[float, int]]:
        starts = range(0, self.length, self.piece)
        return [(self.after + start / self.per_s, min(self.piece, self.length - start)) for start in starts]


@dataclass(frozen=True)
class Seen:
    """What a person sees at one moment: characters and ends, by slot."""

    at: float
    shown: dict[str, int]
    done: dict[str, bool]


def watched(seconds: float = 120.0, *, paced: bool = True, **writers: Writer) -> list[Seen]:
    """Up to the moment at which all is done."""
    pacer = Pacer(writers, paced=paced)
    events = sorted((at, slot, size) for slot, writer in writers.items() for at, size in writer.arrivals())
    ends = {slot: (writer.arrivals() or [(writer.after, 0)])[-1][0] for slot, writer in writers.items()}
    seen: list[Seen] = []
    for tick in range(round(seconds / TICK)):
        now = tick * TICK
        while events and events[0][0] <= now:
            at, slot, size = events.pop(0)
            pacer.arrived(slot, size, at)
        for slot, end in list(ends.items()):
            if end <= now:
                pacer.ended(slot, end)
                del ends[slot]
        seen.append(Seen(now, dict(pacer.shown(now)), {slot: pacer.done(slot) for slot in writers}))
        if all(seen[-1].done.values()):
            break
    return seen


FAST, SLOW = 800.0, 60.0


def test_V7_nothing_shows_before_every_slot_has_its_first_token() -> None:
    seen = watched(A=Writer(400, FAST), B=Writer(400, SLOW, after=2.0))
    assert all(one.shown == {"A": 0, "B": 0} and not any(one.done.values()) for one in seen if one.at < 2.0)
    assert seen[-1].shown == {"A": 400, "B": 400}


def test_V7_both_answers_grow_alike() -> None:
    for one in watched(A=Writer(400, FAST), B=Writer(400, SLOW)):
        assert one.shown["A"] == one.shown["B"]


@pytest.mark.parametrize("piece", [4, 45])
def test_V7_who_was_slow_cannot_be_told(piece: int) -> None:
    """The same is seen when the two change places."""
    fast, slow = Writer(600, FAST), Writer(600, SLOW, after=0.7, piece=piece)
    one_way, other_way = watched(A=fast, B=slow), watched(A=slow, B=fast)
    assert len(one_way) == len(other_way) > 100
    for one, other in zip(one_way, other_way, strict=True):
        assert (one.shown, one.done) == (other.shown, other.done)


def test_V7_the_pace_is_the_slowest_slots() -> None:
    seen = watched(A=Writer(600, FAST), B=Writer(600, SLOW))
    assert seen[-1].at == pytest.approx(600 / SLOW, rel=0.1)


def test_V7_the_end_of_the_slow_answer_makes_no_jump() -> None:
    seen = watched(A=Writer(900, FAST), B=Writer(150, SLOW))
    steps = [after.shown["A"] - before.shown["A"] for before, after in pairwise(seen)]
    assert max(steps) <= 1.25 * SLOW * TICK + 1
    assert seen[-1].at == pytest.approx(900 / SLOW, rel=0.1)


def test_V7_the_end_of_the_fast_answer_shows_when_it_has_been_shown() -> None:
    """It was there after a quarter of a second."""
    seen = watched(A=Writer(200, FAST), B=Writer(600, SLOW))
    first = next(one for one in seen if one.done["A"])
    assert first.shown == {"A": 200, "B": 200}
    assert first.at > 2.5


def test_V7_the_pieces_of_the_slow_answer_do_not_show() -> None:
    """It comes by 45 characters every three quarters of a second; what is seen moves with nearly every tick."""
    seen = watched(A=Writer(900, FAST), B=Writer(900, SLOW, piece=45))
    steps = [after.shown["B"] - before.shown["B"] for before, after in pairwise(seen[20:-1])]
    assert max(steps) <= 10
    assert sum(step > 0 for step in steps) > 0.7 * len(steps)


def test_V7_a_slot_that_stalls_holds_the_others_up_to_fifteen_characters_a_second() -> None:
    pacer = Pacer("AB")
    pacer.arrived("A", 5000, 0.0)
    pacer.arrived("B", 10, 0.0)
    pacer.shown(0.0)
    for tick in range(1, 201):
        shown = pacer.shown(tick * TICK)
    assert shown["A"] == pytest.approx(SLOWEST_PER_S * 10, rel=0.1)
    assert shown["B"] == 10


def test_V7_what_has_been_shown_stays() -> None:
    seen = watched(A=Writer(300, 25.0), B=Writer(500, 200.0, after=1.0), C=Writer(80, 3.0, after=0.5))
    for before, after in pairwise(seen):
        assert all(after.shown[slot] >= before.shown[slot] for slot in "ABC")
        assert all(after.done[slot] >= before.done[slot] for slot in "ABC")
    assert seen[-1].shown == {"A": 300, "B": 500, "C": 80}


def test_V7_short_answers_have_no_pace() -> None:
    seen = watched(A=Writer(8, 4.0), B=Writer(2000, FAST))
    assert seen[-1].at < 2 * 2000 / FAST


def test_V7_an_empty_answer_holds_nobody_up_and_is_no_sign_of_speed() -> None:
    seen = watched(A=Writer(0, 1.0), B=Writer(300, FAST, after=1.0))
    assert not any(one.done["A"] for one in seen if one.at < 1.0)
    assert seen[-1].shown == {"A": 0, "B": 300}
    assert seen[-1].at < 3


def test_without_pacing_everything_shows_as_it_comes() -> None:
    seen = watched(paced=False, A=Writer(400, FAST), B=Writer(400, SLOW, after=2.0))
    early = next(one for one in seen if one.done["A"])
    assert (early.shown, early.at < 1) == ({"A": 400, "B": 0}, True)
