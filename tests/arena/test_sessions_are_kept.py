"""Saved comparisons come back as they were, are found, and survive a crash (contract arena §2.2, §2.11, K1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from puna.arena.storage import tables
from puna.arena.storage.session import Answer, AnswerId, Session
from puna.arena.storage.sessions import Sessions
from puna.database import Database
from puna.errors import NotFound

HERE: dict[str, Any] = {"id": "a", "model": "a:1b", "temperature": 0.7}
THERE: dict[str, Any] = {"id": "b", "model": "b:1b", "use_model_defaults": True}


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return Sessions(database)


def answered(sessions: Sessions, prompt: str, text: str, *, title: str = "") -> str:
    made = sessions.create(title).id
    turn = sessions.add_turn(made, prompt, [HERE])
    sessions.save_answers(made, turn.number, [Answer(HERE, text, state="done")])
    return made


def found(sessions: Sessions, query: str) -> list[str]:
    return [summary.id for summary in sessions.newest(query)]


def test_a_session_comes_back_as_it_was_made(sessions: Sessions) -> None:
    before = datetime.now(UTC)
    made = sessions.create("Birds", "Be brief.", [HERE, THERE])
    assert sessions.get(made.id) == made
    assert (made.title, made.system, made.instances, made.turns) == ("Birds", "Be brief.", (HERE, THERE), ())
    assert before <= made.created == made.updated <= datetime.now(UTC)


def test_turns_and_their_answers_come_back_in_order(sessions: Sessions) -> None:
    made = sessions.create()
    sessions.add_turn(made.id, "first", [THERE, HERE], images=["aGk=", "aG8="])
    sessions.add_turn(made.id, "second", [HERE])
    end = Answer(
        HERE, "An owl.\n", "hm", "done", done_reason="stop", metrics={"tokens": 3}, timings={"wall_s": 0.5},
    )  # fmt: skip
    sessions.save_answers(made.id, 1, [end, Answer(THERE, state="failed", error="Connection refused")])
    first, second = sessions.get(made.id).turns
    assert (first.number, first.prompt, first.images) == (1, "first", 2)
    assert first.answers == (Answer(THERE, state="failed", error="Connection refused"), end)
    assert (second.number, second.images, second.answers) == (2, 0, (Answer(HERE),))
    assert sessions.images(made.id) == {1: ("aGk=", "aG8=")}


def test_the_answer_that_a_turn_follows_is_kept(sessions: Sessions) -> None:
    made = answered(sessions, "first", "one")
    turn = sessions.add_turn(made, "second", [THERE], follows=AnswerId(1, "a\0"))
    assert sessions.get(made).turn(2) == turn
    assert [turn.follows for turn in sessions.get(made).turns] == [None, AnswerId(1, "a\0")]
    assert sessions.restart_answer(made, 2, "b").follows == AnswerId(1, "a\0")


def test_S9_the_kept_text_is_the_text_byte_for_byte(sessions: Sessions) -> None:
    text = "\0a\x10b\x100\x00\x101 \\ % _ 🦉 e\u0301 \r\n\ttail \u2028 "
    made = answered(sessions, text, text, title=text)
    session = sessions.get(made)
    assert (session.title, session.turn(1).prompt, session.turn(1).answers[0].text) == (text, text, text)


def test_a_session_without_a_title_is_called_by_its_first_prompt(sessions: Sessions) -> None:
    for prompt, title in (
        ("What is a capybara, and where does it live?", "What is a capybara, and where "),
        ("  two\n\n lines ", "two lines"),
        ("🦉" * 40, "🦉" * 30),
    ):
        made = sessions.create().id
        sessions.add_turn(made, prompt, [HERE])
        sessions.add_turn(made, "another", [HERE])
        assert sessions.get(made).title == title


def test_a_title_of_ones_own_stays(sessions: Sessions) -> None:
    made = sessions.create("Mine").id
    sessions.add_turn(made, "What?", [HERE])
    assert sessions.get(made).title == "Mine"


def test_what_is_not_given_stays_as_it_is(sessions: Sessions) -> None:
    made = sessions.create("Mine", "Be brief.", [HERE])
    assert sessions.update(made.id, title="Yours").title == "Yours"
    changed = sessions.update(made.id, system="", instances=[])
    assert (changed.title, changed.system, changed.instances) == ("Yours", "", ())
    assert changed.created == made.created < changed.updated
    assert found(sessions, "yours") == [made.id]
    assert found(sessions, "mine") == []


def test_a_list_begins_with_what_was_changed_last(sessions: Sessions) -> None:
    ids = [sessions.create(str(number)).id for number in range(4)]
    sessions.add_turn(ids[1], "again", [HERE, THERE, HERE | {"id": "c"}])
    sessions.update(ids[0], instances=[THERE, HERE])
    assert found(sessions, "") == [ids[0], ids[1], ids[3], ids[2]]
    first, second, *_ = sessions.newest(limit=2)
    assert (first.turns, first.models, second.turns, second.models) == (0, ("b:1b", "a:1b"), 1, ("a:1b", "b:1b"))
    rest = sessions.newest(limit=2, before=second.updated)
    assert [summary.title for summary in rest] == ["3", "2"]


@pytest.mark.parametrize("place", ["title", "prompt", "answer"])
def test_a_search_looks_everywhere_whatever_the_case(sessions: Sessions, place: str) -> None:
    text = "An Owl flies, überall in der Straße"
    told = {"title": "t", "prompt": "p", "answer": "a"} | {place: text}
    wanted = answered(sessions, told["prompt"], told["answer"], title=told["title"])
    answered(sessions, "other", "other", title="other")
    for query in ("owl", "OWL", "An oWl flies", "straße", "STRASSE", "überall", "ÜBERALL", "U\u0308b"):
        assert found(sessions, query) == [wanted], query


def test_a_search_takes_every_character_literally(sessions: Sessions) -> None:
    queries = ["%", "_", "100%_", "/", "\\", "a\0b", "'; DROP TABLE arena_sessions; --"]
    prompts = {answered(sessions, prompt, "text"): prompt for prompt in [*queries, "100 percent", "ab"]}
    for query in queries:
        assert set(found(sessions, query)) == {made for made, prompt in prompts.items() if query in prompt}, query


def test_a_running_answer_is_interrupted_where_puna_ended(sessions: Sessions, database: Database) -> None:
    made = sessions.create().id
    sessions.add_turn(made, "why?", [HERE, THERE])
    sessions.save_answers(made, 1, [Answer(HERE, "half", "hm"), Answer(THERE, "whole", state="done")])
    assert [answer.state for answer in sessions.get(made).turn(1).answers] == ["running", "done"]
    again = Sessions(database).get(made).turn(1).answers
    assert again == (Answer(HERE, "half", "hm", "interrupted"), Answer(THERE, "whole", state="done"))


def test_an_answer_that_starts_again_loses_what_was_said_and_liked(sessions: Sessions) -> None:
    made = answered(sessions, "why?", "because")
    assert sessions.like(made, 1, "a", True).turn(1).answer("a").like is True
    sessions.save_answers(made, 1, [Answer(HERE, "because", state="done")])
    assert sessions.get(made).turn(1).answer("a").like is True
    again = sessions.restart_answer(made, 1, "a")
    assert again == sessions.get(made).turn(1)
    assert again.answers == (Answer(HERE),)
    assert found(sessions, "because") == []


def test_what_is_deleted_is_gone_with_all_that_belongs_to_it(sessions: Sessions, database: Database) -> None:
    gone, kept = answered(sessions, "why?", "because"), answered(sessions, "why not?", "so")
    sessions.delete(gone)
    assert [session.id for session in sessions.all()] == [kept]
    sessions.save_answers(gone, 1, [Answer(HERE, "late")])
    assert sessions.delete_all() == 1
    with database.reading() as connection:
        for table in (tables.sessions, tables.turns, tables.answers):
            assert connection.scalar(select(func.count()).select_from(table)) == 0


def test_only_old_sessions_can_be_deleted(sessions: Sessions) -> None:
    old = sessions.create("old")
    new = sessions.create("new")
    assert sessions.delete_all(before=new.updated) == 1
    assert [session.id for session in sessions.all()] == [new.id]
    assert sessions.delete_all(before=old.created - timedelta(days=1)) == 0


def test_a_session_that_is_not_there_is_not_found(sessions: Sessions) -> None:
    made = answered(sessions, "why?", "because")
    for call in (
        lambda: sessions.get("nowhere"),
        lambda: sessions.get("a\0b"),
        lambda: sessions.update("nowhere", title="x"),
        lambda: sessions.delete("nowhere"),
        lambda: sessions.add_turn("nowhere", "why?", [HERE]),
        lambda: sessions.like("nowhere", 1, "a", True),
        lambda: sessions.like(made, 2, "a", True),
        lambda: sessions.like(made, 1, "b", True),
        lambda: sessions.like(made, 2**70, "a", True),
        lambda: sessions.restart_answer("nowhere", 1, "a"),
        lambda: sessions.restart_answer(made, 1, "b"),
    ):
        with pytest.raises(NotFound):
            call()


def test_all_sessions_can_be_read_one_by_one(sessions: Sessions) -> None:
    ids = [answered(sessions, "why?", str(number)) for number in range(3)]
    read: list[Session] = list(sessions.all())
    assert [(session.id, session.turn(1).answer("a").text) for session in read] == list(zip(ids, "012", strict=True))
