"""Votes are added, never changed: what counts is the fold of all rows (contract arena §2.11, V1, V10)."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import text

from puna.arena.ballots import Ballot, Entry
from puna.arena.storage.votes import Vote, Votes
from puna.arena.verdicts import Verdict
from puna.database import Database

AT = datetime(2026, 11, 23, 12, 0, 0, 250_000, UTC)
ENTRIES = (
    Entry("A", "a__0.7", "a:1b", "a", tokens=0, tokens_per_s=12.5, first_token_s=0.25, leak="soft"),
    Entry("B", "b__0.7", "b:1b", "b"),
)


def ballot(battle: str, best: str = "A", **changes: Any) -> Ballot:
    return replace(Ballot(battle, AT, Verdict.of("AB", best), ENTRIES), **changes)


def vote(number: int, kind: Any = "vote", battle: str = "", **changes: Any) -> Vote:
    battle = battle or f"battle{number}"
    given = Vote(f"vote{number}", kind, battle, AT, None if kind == "undo" else ballot(battle))
    return replace(given, **changes)


@pytest.fixture
def votes(database: Database) -> Votes:
    return Votes(database)


def counted(votes: Votes) -> list[str]:
    return [found.battle for found in votes.ballots()]


def test_a_vote_comes_back_as_it_was_given(votes: Votes) -> None:
    full = ballot(
        "x", at=AT + timedelta(microseconds=1), voter="judge", weight=0.25, blind=False, fast=True,
        categories=frozenset({"code", "maths"}), prompt_set="set", language="de",
    )  # fmt: skip
    ranked = ballot("y", verdict=Verdict.of("AB", ranking=[["B"], ["A"]]))
    details = {"prompt": "why\0?", "probability": 0.5, "slots": {"A": {"model": "a:1b", "digest": None}}, "tags": []}
    given = [vote(1, ballot=full, details=details), vote(2, ballot=ranked), vote(3, "undo", "y"), vote(4, "likes")]
    for one in given:
        votes.append(one)
    assert list(votes.all()) == given


def test_times_of_another_zone_are_the_same_times(votes: Votes) -> None:
    votes.append(vote(1, at=AT.astimezone(timezone(timedelta(hours=-7)))))
    (found,) = votes.all()
    assert (found.at, found.at.utcoffset()) == (AT, timedelta(0))


def test_ballots_are_those_of_all_votes_in_their_order_and_only_new_ones_are_read(votes: Votes) -> None:
    assert votes.ballots() == ()
    for number in (2, 1):
        votes.append(vote(number))
    first = votes.ballots()
    assert first == (ballot("battle2"), ballot("battle1"))
    assert votes.ballots() is first
    votes.append(vote(3))
    assert [now is before for now, before in zip(votes.ballots(), first, strict=False)] == [True, True]
    assert counted(votes) == ["battle2", "battle1", "battle3"]


def test_what_another_process_adds_is_seen(votes: Votes, database: Database) -> None:
    votes.append(vote(1))
    assert counted(votes) == ["battle1"]
    Votes(database).append(vote(2))
    assert counted(votes) == ["battle1", "battle2"]


def test_V1_an_undone_vote_counts_no_more_and_stays_in_the_store(votes: Votes) -> None:
    given = [vote(1, battle="x"), vote(2, battle="y"), vote(3, "undo", "x")]
    votes.append(given[0])
    votes.append(given[1])
    assert counted(votes) == ["x", "y"]
    votes.append(given[2])
    assert counted(votes) == counted(Votes(votes._database)) == ["y"]
    assert list(votes.all()) == given


def test_an_overruled_vote_is_replaced(votes: Votes) -> None:
    votes.append(vote(1, battle="x"))
    votes.append(vote(2, battle="x", ballot=ballot("x", "B")))
    assert votes.ballots() == (ballot("x", "B"),)


def test_J9_a_person_does_not_overwrite_the_judge(votes: Votes) -> None:
    judged = ballot("x", "B", voter="judge")
    votes.append(vote(1, battle="x", ballot=judged))
    votes.append(vote(2, battle="x"))
    votes.append(vote(3, "undo", "x"))
    assert votes.ballots() == (judged,)


def test_V10_later_likes_of_a_turn_replace_the_earlier(votes: Votes) -> None:
    votes.append(vote(1, "likes", "session/1"))
    votes.append(vote(2, "likes", "session/1", ballot=ballot("session/1", "B")))
    votes.append(vote(3, "likes", "session/2"))
    assert votes.ballots() == (ballot("session/1", "B"), ballot("session/2"))
    votes.append(vote(4, "likes", "session/1", ballot=None))
    assert counted(votes) == ["session/2"]


def test_only_unknown_votes_are_added(votes: Votes) -> None:
    votes.append(vote(1))
    assert votes.add_many([vote(1, battle="other"), vote(2), vote(3), vote(2)]) == 2
    assert votes.add_many(vote(number) for number in range(1200)) == 1197
    assert votes.add_many([]) == 0
    assert [one.id for one in votes.all()] == ["vote1", "vote2", "vote3", "vote0"] + [
        f"vote{number}" for number in range(4, 1200)
    ]
    assert len(votes.ballots()) == 1200


def test_votes_from_many_threads_are_all_counted(votes: Votes) -> None:
    def give(start: int) -> None:
        for number in range(start, start + 5):
            votes.append(vote(number))
            votes.ballots()

    threads = [threading.Thread(target=give, args=(100 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counted(votes)) == 20


def test_a_row_holds_no_more_than_it_has_to(votes: Votes, database: Database) -> None:
    votes.append(vote(1, ballot=ballot("x", entries=ENTRIES[1:])))
    with database.reading() as connection:
        kept = connection.execute(text("SELECT ballot FROM arena_votes")).scalar()
    assert kept == (
        '{"battle":"x","at":"2026-11-23T12:00:00.250000+00:00","verdict":{"kind":"best","groups":[["A"],["B"]]},'
        '"entries":[{"slot":"B","instance":"b__0.7","model":"b:1b","family":"b"}]}'
    )
