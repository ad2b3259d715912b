"""Likes of a named comparison are votes, off the blind board (contract arena V9, V10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from puna.arena.ballots import Ballot, Filters
from puna.arena.storage.votes import Vote, Votes
from puna.arena.verdicts import Verdict
from puna.database import Database
from tests.arena.doors import GONE, Door, door
from tests.code.scripted import Scripted, upstream

Json = dict[str, Any]

ASKED = [{"id": name, "model": f"{name}:1b"} for name in "xyz"]


@pytest.fixture
def model() -> Scripted:
    models: dict[str, Json] = {f"{name}:1b": {"details": {"family": f"family {name}"}} for name in "xy"}
    return Scripted(script=lambda body: [f"I am {body['model']}"], models=models)


@pytest.fixture
async def opened(model: Scripted, sqlite: Database) -> AsyncIterator[Door]:
    async with upstream(model) as (_, endpoint), door(endpoint, GONE, database=sqlite) as found:
        yield found


@pytest.fixture
async def path(opened: Door) -> str:
    """Of a turn that three instances have answered."""
    session = (await opened.post("/api/arena/sessions", {"system": "Be brief."})).json["id"]
    path = f"/api/arena/sessions/{session}/turns"
    await opened.post(path, {"prompt": "Calculate 2 + 2", "model_instances": ASKED})
    return f"{path}/1"


async def like(opened: Door, path: str, instance: str, given: bool | None) -> None:
    reply = await opened.post(f"{path}/like", {"instance_id": instance, "like": given})
    assert (reply.status, reply.json) == (200, {"like": given})


async def likes(opened: Door, path: str) -> dict[str, bool | None]:
    turns = (await opened.get(path.partition("/turns")[0])).json["turns"]
    return {answer["instance"]["id"]: answer["like"] for answer in turns[0]["answers"]}


def kept(database: Database) -> list[Vote]:
    return list(Votes(database).all())


def counted(database: Database) -> tuple[Ballot, ...]:
    return Votes(database).ballots()


async def test_V10_a_like_alone_is_kept_and_makes_no_loser(opened: Door, path: str, sqlite: Database) -> None:
    await like(opened, path, "x", True)
    await like(opened, path, "y", True)
    assert await likes(opened, path) == {"x": True, "y": True, "z": None}
    assert [vote.kind for vote in kept(sqlite)] == ["likes", "likes"]
    assert counted(sqlite) == ()


async def test_V10_liked_answers_win_against_disliked_ones_of_the_same_turn(
    opened: Door, path: str, sqlite: Database
) -> None:
    await like(opened, path, "x", True)
    await like(opened, path, "y", False)
    (ballot,) = counted(sqlite)
    assert ballot.verdict == Verdict.of_likes(["1"], ["2"])
    assert ballot.verdict.scores() == (("1", "2", 1.0),)
    assert [(one.slot, one.model, one.family, one.tokens) for one in ballot.entries] == [
        ("1", "x:1b", "family x", 3),
        ("2", "y:1b", "family y", 3),
        ("3", "z:1b", "z", 3),
    ]
    assert ballot.entries[0].instance == "x_1b__0.7_0.9_40_1.1_-1_0"
    assert "maths" in ballot.categories


async def test_V9_likes_are_not_blind_so_they_are_off_the_default_board(
    opened: Door, path: str, sqlite: Database
) -> None:
    await like(opened, path, "x", True)
    await like(opened, path, "y", False)
    (ballot,) = counted(sqlite)
    assert not Filters().keep(ballot)
    assert Filters(blind_only=False).keep(ballot)


async def test_a_change_of_mind_takes_the_place_of_what_was_said(opened: Door, path: str, sqlite: Database) -> None:
    await like(opened, path, "x", True)
    await like(opened, path, "y", False)
    await like(opened, path, "z", False)
    await like(opened, path, "x", False)
    await like(opened, path, "y", True)
    (ballot,) = counted(sqlite)
    assert ballot.verdict == Verdict.of_likes(["2"], ["1", "3"])
    await like(opened, path, "y", None)
    assert await likes(opened, path) == {"x": False, "y": None, "z": False}
    assert counted(sqlite) == ()
    assert len(kept(sqlite)) == 6


async def test_a_vote_holds_what_was_asked_and_answered_by_whom(opened: Door, path: str, sqlite: Database) -> None:
    await like(opened, path, "y", False)
    (vote,) = kept(sqlite)
    details = vote.details
    assert (details["prompt"], details["prompts"], details["system"], details["paced"]) == (
        "Calculate 2 + 2",
        ["Calculate 2 + 2"],
        "Be brief.",
        False,
    )
    slot = details["slots"]["2"]
    assert (slot["instance"]["model"], slot["answer"], slot["like"]) == ("y:1b", "I am y:1b", False)
    assert slot["digest"] == f"{sum(b'y:1b'):064x}"
    assert details["slots"]["3"]["digest"] == ""


async def test_an_answer_that_is_given_again_is_not_liked_yet(opened: Door, path: str, sqlite: Database) -> None:
    await like(opened, path, "x", True)
    await like(opened, path, "y", False)
    await opened.post(f"{path}/retry", {"instance_id": "z"})
    assert len(kept(sqlite)) == 2
    await opened.post(f"{path}/retry", {"instance_id": "y"})
    assert await likes(opened, path) == {"x": True, "y": None, "z": None}
    assert counted(sqlite) == ()


async def test_only_true_false_and_null_say_something(opened: Door, path: str, sqlite: Database) -> None:
    for body in ({"instance_id": "x", "like": 1}, {"instance_id": "x", "like": "yes"}, {"like": True}):
        assert (await opened.post(f"{path}/like", body)).status == 400
    assert kept(sqlite) == []
