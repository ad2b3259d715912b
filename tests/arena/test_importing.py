"""All that was exported comes back: sessions, rosters and prompts beside the votes (contract arena §2.11; T14, T25)."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from puna.arena.exchange.saved import checked_item, checked_session
from puna.arena.failures import Refused
from puna.arena.pictures import Pictures
from puna.arena.request import Limits
from puna.arena.shelves import read_prompts, read_roster
from puna.arena.storage.session import Answer, AnswerId
from puna.arena.storage.sessions import Sessions
from puna.arena.storage.shelf import Shelf
from puna.arena.storage.votes import Votes
from puna.arena.timings import Timings
from puna.database import Database, database_url
from puna.errors import BadRequest, DatabaseFailed
from tests.arena.exchanging import exported, imported
from tests.arena.polls import kept, votes

Json = dict[str, Any]

ALPHA: Json = {"id": "a", "model": "alpha:1b", "temperature": 0.5, "top_p": 0.9, "top_k": 40, "repeat_penalty": 1.1,
               "num_predict": -1, "seed": 0, "system": "Be brief.", "stop": ["\n"]}  # fmt: skip
BETA: Json = {"id": "b\U0001f989", "model": "beta:2b", "endpoint": "second", "use_model_defaults": True}
MEASURES = {"tokens": 12, "duration_s": 0.5, "tokens_per_sec": 24.0}


@cache
def picture(colour: str) -> str:
    """As the routes make them of what they are sent."""
    buffer = io.BytesIO()
    Image.new("RGB", (9, 7), colour).save(buffer, "PNG")
    (made,) = asyncio.run(Pictures().checked([base64.b64encode(buffer.getvalue()).decode()]))
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    found = Database(database_url(str(tmp_path / "other.db")))
    yield found
    found.close()


def fill(database: Database) -> str:
    """With something of every kind, and all that a session can hold; its id."""
    sessions = Sessions(database)
    session = sessions.create("Owls & <foxes>", "Be kind.\0", [ALPHA, BETA]).id
    sessions.add_turn(session, "What is it?", [ALPHA, BETA], [picture("red"), picture("blue")])
    timings = Timings(wall_s=1.234, output_per_s=24.0, done_reason="stop", cold=True).wire()
    done = Answer(ALPHA, "An owl\0.", "Hm.", "done", "", "stop", MEASURES | {"estimated": True}, timings)
    sessions.save_answers(session, 1, [done, Answer(BETA, state="failed", error="Connection refused")])
    sessions.like(session, 1, "a", True)
    sessions.like(session, 1, BETA["id"], False)
    sessions.add_turn(session, "And \U0001f600 that?", [BETA], (), AnswerId(1, "a"))
    sessions.save_answers(session, 2, [Answer(BETA, "so far", state="stopped", metrics=MEASURES)])
    sessions.create()
    Votes(database).add_many(kept(votes(("xy", "A", 3), ("yx", "tie", 2)), prompt="Why?"))
    Shelf(database, "roster").add("mine", {"instances": [ALPHA, BETA]})
    Shelf(database, "prompts").add("one", {"category": "", "text": "Why?"})
    Shelf(database, "prompts").add("set", {"prompts": [{"prompt": "Why?", "reference": "So."}, {"prompt": "How?"}]})
    return session


def test_everything_comes_back_as_it_left(database: Database, empty: Database) -> None:
    """From a fresh SQLite into both kinds of databases, and out again."""
    fill(empty)
    body = exported(empty)
    told = imported(body, database, dry_run=True)
    assert {kind: count.new for kind, count in told.kinds.items()} == {
        "vote": 5,
        "session": 2,
        "roster": 1,
        "prompts": 2,
    }
    assert (told.known, told.rejected, told.other) == (0, (), 0)
    assert json.loads(exported(database))["records"] == [], "a dry run only tells"
    assert imported(body, database) == told
    assert exported(database) == body
    again = imported(body, database)
    assert (again.new, again.known) == (0, 10)
    assert exported(database) == body


def test_what_came_back_is_used_as_what_was_made_here(sqlite: Database, empty: Database) -> None:
    session = fill(empty)
    imported(exported(empty), sqlite)
    sessions = Sessions(sqlite)
    assert [found.id for found in sessions.newest("OWL")] == [session], "found by its title and its answer"
    assert sessions.images(session) == {1: (picture("red"), picture("blue"))}
    assert sessions.add_turn(session, "Go on", [ALPHA]).number == 3
    assert sessions.get(session).turn(2).follows == AnswerId(1, "a")


def record(**changes: Any) -> Json:
    turn = {"number": 1, "prompt": "Why?", "images": 0, "at": "2026-11-23T01:00:00Z",
            "answers": [{"instance": ALPHA, "text": "So.", "state": "done", "metrics": MEASURES}]}  # fmt: skip
    made = {"record": "session", "id": uuid4().hex, "title": "T", "system": "", "created": "2026-11-23T00:00:00Z",
            "updated": "2026-11-23T00:00:00Z", "instances": [ALPHA], "turns": [turn], "pictures": {}}  # fmt: skip
    return made | changes


def with_turn(**changes: Any) -> Json:
    return {"turns": [record()["turns"][0] | changes]}


def with_answer(**changes: Any) -> Json:
    return with_turn(answers=[record()["turns"][0]["answers"][0] | changes])


TIMINGS = Timings().wire()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"id": "../../etc"}, "id: String should match"),
        ({"id": None}, "id: Input should be a valid string"),
        ({"title": 3}, "title: Input should be a valid string"),
        ({"title": "x" * 201}, "title: must have at most 200 characters"),
        ({"system": "x" * ((1 << 20) + 1)}, "system: must have at most 1048576 characters"),
        ({"created": "yesterday"}, "created: Input should be a valid datetime"),
        ({"created": "2026-11-23T00:00:00"}, "created: Input should have timezone info"),
        ({"updated": "2026-11-23T00:00:00"}, "created: not a time of a session, or updated"),
        ({"updated": "9999-11-23T00:00:00Z"}, "created: not a time of a session, or updated"),
        ({"instances": [{"id": "a", "model": "../x y"}]}, "Invalid model name"),
        ({"instances": [ALPHA | {"temperature": 9}]}, "Invalid temperature: must be between"),
        ({"instances": [ALPHA, ALPHA]}, "Duplicate model instance detected: a"),
        ({"instances": [{"model": f"m{number}"} for number in range(9)]}, "Too many model instances: maximum 8"),
        ({"turns": {}}, "turns: Input should be a valid array"),
        ({"turns": [1]}, "turns.0: "),
        ({"turns": record()["turns"] * 2}, "turns: must be numbered in order"),
        (with_turn(number=0), "turns: must be numbered in order"),
        (with_turn(number=1 << 31), "turns: must be numbered in order"),
        (with_turn(number=1 << 70), "a number is out of range"),
        (with_turn(number=True), "turns.0.number: Input should be a valid integer"),
        (with_turn(at="2026-11-23T01:00:00"), "turn 1: at: not a time of a turn"),
        (with_turn(prompt=" "), "turn 1: No messages provided"),
        (with_turn(answers=[]), "turn 1: answers: there are none"),
        (with_turn(images=1), "turn 1: images: it had 1, and the file has 0 of them"),
        (with_turn(follows={"turn": 1, "instance_id": "a"}), "turn 1: follows: no earlier answer"),
        (with_turn(follows={"turn": "1"}), "turns.0.follows.turn: Input should be a valid integer"),
        ({"pictures": {"1": ["aGk="]}}, "turn 1: images: it had 0, and the file has 1 of them"),
        ({"pictures": {"2": ["aGk="]}}, "pictures: of a turn that is not there"),
        ({"pictures": {"x": []}}, "pictures.x.[key]: Input should be a valid integer"),
        ({"pictures": {"1": ["x"] * 5}} | with_turn(images=5), "turn 1: Too many images: maximum 4"),
        (with_answer(instance={}), "turn 1: Model name is required"),
        (with_answer(instance=ALPHA | {"id": "a\n"}), "turn 1: Invalid instance id at index 0"),
        (with_turn(answers=record()["turns"][0]["answers"] * 2), "turn 1: Duplicate model instance detected: a"),
        (with_answer(text=None), "turns.0.answers.0.text: Input should be a valid string"),
        (with_answer(state="lost"), "turns.0.answers.0.state: Input should be"),
        (with_answer(like=1), "turns.0.answers.0.like: Input should be a valid boolean"),
        (with_answer(done_reason="x" * 201), "turn 1: done_reason: must have at most 200 characters"),
        (with_answer(metrics={}), "turn 1: tokens: Field required"),
        (with_answer(metrics=MEASURES | {"tokens": "12"}), "turn 1: tokens: Input should be a valid integer"),
        (with_answer(metrics=MEASURES | {"tokens": -1}), "turn 1: timings: out of range"),
        (with_answer(timings=TIMINGS | {"wall_s": 1e300}), "turn 1: timings: out of range"),
        (with_answer(timings=TIMINGS | {"cold": "yes"}), "turn 1: cold: Input should be a valid boolean"),
    ],
)  # fmt: skip
def test_T14_a_session_that_is_wrong_is_rejected(change: Json, error: str) -> None:
    with pytest.raises((BadRequest, Refused)) as caught:
        checked_session(record(**change), Limits())
    assert caught.value.message.startswith(error)
    assert "\n" not in caught.value.message


def item(**changes: Any) -> Json:
    return {"id": uuid4().hex, "name": "N", "created": "2026-11-23T00:00:00Z", "document": {"text": "Why?"}} | changes


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"id": "1"}, "id: String should match"),
        ({"name": "x" * 201}, "Invalid name: must be a text of at most 200 characters"),
        ({"name": " "}, "Invalid name: must not be empty"),
        ({"created": "0001-01-01T00:00:00Z"}, "created: not a time of a roster or prompts"),
        ({"document": []}, "Invalid document: must be an object"),
        ({"document": {}}, "No prompt provided"),
        ({"document": {"prompts": [{"prompt": 3}]}}, "Invalid prompt"),
    ],
)
def test_T14_prompts_that_are_wrong_are_rejected(change: Json, error: str) -> None:
    with pytest.raises((BadRequest, Refused)) as caught:
        checked_item(item(**change), read_prompts)
    assert caught.value.message.startswith(error)


def test_T14_a_roster_of_nobody_is_rejected() -> None:
    with pytest.raises(Refused, match="No models selected"):
        checked_item(item(document={"instances": []}), read_roster)


def test_T14_what_nobody_knows_is_dropped_and_what_was_running_is_interrupted() -> None:
    answer = {"instance": ALPHA | {"endpoint": 3, "evil": 1}, "text": "so f", "state": "running", "evil": 2}
    found = checked_session(record(evil=3) | with_turn(answers=[answer], evil=4), Limits()).session
    assert found.turn(1).answers == (Answer(ALPHA, "so f", state="interrupted"),)


NO_PICTURE = base64.b64encode(b"<svg onload=alert(1)>").decode()
CUT = base64.b64encode(base64.b64decode(picture("red"))[:40]).decode()


@pytest.mark.parametrize(
    ("image", "error"), [(NO_PICTURE, "this is no PNG, JPEG or WebP picture"), ("%%%", "this is no base64"), (CUT, "")]
)
def test_T14_pictures_are_looked_at_before_anything_is_kept(sqlite: Database, image: str, error: str) -> None:
    wrong = record(pictures={"1": [image]}, **with_turn(images=1))
    body = json.dumps([wrong, record(), {"record": "battle"}, item(record="prompts")]).encode()
    told = imported(body, sqlite, dry_run=True)
    assert imported(body, sqlite) == told
    (rejected,) = told.rejected
    assert (rejected.line, rejected.kind) == (1, "session")
    assert rejected.error.startswith("pictures: ")
    assert error in rejected.error
    assert (told.kinds["session"].new, told.kinds["prompts"].new, told.other) == (1, 1, 1)
    assert len(Sessions(sqlite).newest()) == 1


def test_all_of_a_file_is_kept_or_nothing(database: Database) -> None:
    """The last that is written fails, so nothing before it is there."""
    good = [record(), item(record="prompts")]
    Shelf(database, "prompts").add("N", {"text": "Why?"})
    with database.writing() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX one_of_a_name ON arena_shelf (name)")
    with pytest.raises(DatabaseFailed, match=r"(?i)unique"):
        imported(json.dumps(good).encode(), database)
    assert Sessions(database).newest() == []
