"""Each instance reads its own thread of a session (contract arena §1.9, §2.2)."""

from __future__ import annotations

from datetime import UTC, datetime

from puna.arena.conversation import Message
from puna.arena.storage.session import Answer, AnswerId, Session, Turn
from puna.arena.thread import thread

AT = datetime(2026, 11, 23, tzinfo=UTC)


def answer(instance: str, text: str) -> Answer:
    return Answer({"id": instance, "model": "m"}, text, "thoughts are not told again", state="done")


TURNS = (
    Turn(1, "first", 1, AT, (answer("a", "one"), answer("b", "uno"))),
    Turn(2, "second", 0, AT, (answer("b", "due"),)),
    Turn(3, "third", 0, AT, (answer("a", ""), answer("b", "tre"))),
    Turn(4, "fourth", 0, AT, (answer("a", "four"),)),
)
SESSION = Session("s", "", "", (), AT, AT, TURNS)


def said(instance: str, number: int, system: str = "") -> list[tuple[str, str]]:
    session = Session("s", "", system, (), AT, AT, TURNS)
    return [(message.role, message.content) for message in thread(session, session.turn(number), instance, {})]


def test_an_instance_reads_its_own_answers_and_never_anothers() -> None:
    assert said("b", 3) == [
        ("user", "first"), ("assistant", "uno"), ("user", "second"), ("assistant", "due"), ("user", "third"),
    ]  # fmt: skip


def test_turns_that_it_said_nothing_in_are_left_out() -> None:
    assert said("a", 4) == [("user", "first"), ("assistant", "one"), ("user", "fourth")]
    assert said("new", 4) == [("user", "fourth")]


def test_what_came_later_is_not_known_when_a_turn_is_played_again() -> None:
    assert said("a", 1) == [("user", "first")]


def test_the_sessions_system_prompt_stands_first() -> None:
    assert said("a", 1, "Be brief.") == [("system", "Be brief."), ("user", "first")]


def test_pictures_stay_with_their_turn() -> None:
    first, _, last = thread(SESSION, TURNS[3], "a", {1: ("aGk=",)})
    assert (first, last.images) == (Message("user", "first", ("aGk=",)), ())


BRANCHED = (
    Turn(1, "first", 1, AT, (answer("a", "one"), answer("b", "uno"))),
    Turn(2, "second", 0, AT, (answer("a", "two"), answer("b", "due"))),
    Turn(3, "third", 0, AT, (answer("a", "three"), answer("b", ""), answer("c", "trois")), AnswerId(1, "b")),
    Turn(4, "fourth", 0, AT, (answer("a", "four"), answer("b", "quattro"), answer("d", "vier"))),
    Turn(5, "fifth", 0, AT, (answer("a", "five"),), AnswerId(4, "a")),
)
TO_B1 = ["first", "uno"]


def read(instance: str, number: int) -> list[str]:
    session = Session("s", "", "", (), AT, AT, BRANCHED)
    return [message.content for message in thread(session, session.turn(number), instance, {})]


def test_all_go_on_from_one_answer_and_from_nothing_that_came_after_it() -> None:
    for instance in "abc":
        assert read(instance, 3) == [*TO_B1, "third"]


def test_after_that_each_goes_on_with_its_own_answers_again() -> None:
    assert read("a", 4) == [*TO_B1, "third", "three", "fourth"]
    assert read("d", 4) == ["fourth"]


def test_who_said_nothing_in_such_a_turn_goes_on_from_that_answer_all_the_same() -> None:
    assert read("b", 4) == [*TO_B1, "fourth"]


def test_one_may_go_on_from_an_answer_that_came_of_another() -> None:
    assert read("a", 5) == read("b", 5) == [*TO_B1, "third", "three", "fourth", "four", "fifth"]


def test_the_pictures_of_the_other_thread_come_with_it() -> None:
    session = Session("s", "", "", (), AT, AT, BRANCHED)
    first, *_ = thread(session, BRANCHED[2], "c", {1: ("aGk=",)})
    assert first.images == ("aGk=",)


def test_a_long_session_that_branches_at_every_turn_is_read_once() -> None:
    turns = tuple(
        Turn(number, f"{number}", 0, AT, (answer("a", "so"),), AnswerId(number - 1, "a") if number > 1 else None)
        for number in range(1, 5001)
    )
    assert len(thread(Session("s", "", "", (), AT, AT, turns), turns[-1], "a", {})) == 9999
