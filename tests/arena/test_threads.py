"""Each instance reads its own thread of a session (contract arena §1.9, §2.2)."""

from __future__ import annotations

from datetime import UTC, datetime

from puna.arena.conversation import Message
from puna.arena.storage.session import Answer, Session, Turn
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
