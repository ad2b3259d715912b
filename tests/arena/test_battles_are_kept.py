"""Battles in the database, and what a vote on one leaves behind (contract arena §2.3, §2.11)."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from puna import __version__
from puna.arena.ballots import Ballot, Entry
from puna.arena.battle import Battle, BattleConflict
from puna.arena.challenge import Opinion
from puna.arena.instances import Instance, instance_wire, rated_name, read_instances
from puna.arena.metrics import Metrics
from puna.arena.record import INTERRUPTED, BattleAnswer, BattleRecord, BattleTurn, Seat
from puna.arena.storage.battles import BattleStore
from puna.arena.storage.votes import Vote, Votes
from puna.arena.timings import Timings
from puna.arena.verdicts import Verdict
from puna.arena.voting import ballot_of, details_of, find_leaks
from puna.database import Database
from puna.errors import NotFound

AT = datetime(2026, 11, 23, 12, 0, 0, 250_000, UTC)
NOW = AT.timestamp()
EVERYTHING = {
    "model": "b:1b", "id": "mine", "temperature": 1, "seed": 7, "endpoint": "second", "system": "Be brief.",
    "think": "high", "format": {"type": "object"}, "stop": ["\n"], "num_ctx": 4096, "min_p": 0.05,
}  # fmt: skip
A_WINS = Verdict.of("AB", "A")


def instances() -> tuple[Instance, ...]:
    return read_instances([{"model": "a:1b", "use_model_defaults": True}, EVERYTHING], extended=True)


def answer(text: str, *, contended: bool = False) -> BattleAnswer:
    timings = Timings(first_token_s=0.25, output_per_s=40.0, output_tokens=12, contended=contended)
    return BattleAnswer("done", text, "Hm.", "", Metrics(12, 300_000_000), timings)


def record(battle_id: str = "x", at: datetime = AT) -> BattleRecord:
    """Streaming, with a prompt that either database has its troubles with."""
    seats = {slot: Seat(one, rated_name(one), "fam", "d1") for slot, one in zip("AB", instances(), strict=True)}
    turns = (BattleTurn.of("Why\0? 🦙", ("A", "B"), ("cGljdHVyZQ==",)),)
    words = frozenset({"acme"})
    return BattleRecord(battle_id, at, Battle(("A", "B")), seats, turns, "Be kind.", probability=0.5, words=words)


def answered(battle_id: str = "x", first: str = "One.", second: str = "Two.", at: datetime = AT) -> BattleRecord:
    found = record(battle_id, at)
    answers = {"A": answer(first), "B": answer(second, contended=True)}
    return found.answered(replace(found.turns[0], answers=answers), NOW)


@pytest.fixture
def store(database: Database) -> BattleStore:
    return BattleStore(database)


def test_a_battle_comes_back_as_it_was(store: BattleStore) -> None:
    voted = answered("voted").voted(A_WINS, {"A": "hard"}, NOW + 9)
    for kept in (record("new"), answered("ready"), voted, answered("skipped").skipped(), voted_and_undone()):
        store.add(kept)
        assert store.get(kept.id) == kept


def voted_and_undone() -> BattleRecord:
    return answered("undone").voted(A_WINS, {}, NOW + 9).undone(NOW + 10)


def test_V3_a_battle_that_is_not_there_is_not_found(store: BattleStore) -> None:
    with pytest.raises(NotFound, match="Battle not found"):
        store.get("x")
    with pytest.raises(NotFound, match="Battle not found"):
        store.change("x", BattleRecord.skipped)


def test_V3_of_many_votes_at_once_one_is_kept(store: BattleStore) -> None:
    store.add(answered())
    outcomes: list[str] = []

    def vote(choice: str) -> None:
        try:
            store.change("x", lambda found: found.voted(Verdict.of("AB", choice), {}, NOW + 9))
            outcomes.append(choice)
        except BattleConflict as error:
            outcomes.append(error.message)

    threads = [threading.Thread(target=vote, args=(choice,)) for choice in "ABABABAB"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("Vote already recorded") == 7
    (choice,) = set(outcomes) - {"Vote already recorded"}
    assert store.get("x").battle.verdict == Verdict.of("AB", choice)


def test_what_a_refused_change_did_is_undone(store: BattleStore) -> None:
    store.add(answered())
    store.change("x", BattleRecord.skipped)
    with pytest.raises(BattleConflict):
        store.change("x", BattleRecord.skipped)
    assert store.get("x").battle.state == "skipped"


def test_a_battle_and_the_row_of_its_vote_are_written_together_or_not_at_all(
    store: BattleStore, database: Database
) -> None:
    votes = Votes(database)
    store.add(answered())

    def write(connection: Connection, voted: BattleRecord) -> None:
        votes.append_within(connection, Vote("v", "vote", voted.id, AT, ballot_of(voted)))

    def fail(connection: Connection, voted: BattleRecord) -> None:
        write(connection, voted)
        raise BattleConflict("too late")

    with pytest.raises(BattleConflict):
        store.change("x", lambda found: found.voted(A_WINS, {}, NOW + 9), fail)
    assert (store.get("x").battle.state, votes.ballots()) == ("ready", ())
    store.change("x", lambda found: found.voted(A_WINS, {}, NOW + 9), write)
    assert (store.get("x").battle.state, len(votes.ballots())) == ("voted", 1)


def test_battles_are_listed_newest_first_by_pages(store: BattleStore) -> None:
    for number in (2, 1, 3):
        store.add(record(f"battle{number}", AT + timedelta(seconds=number)))
    assert [found.id for found in store.newest(2)] == ["battle3", "battle2"]
    assert [found.id for found in store.newest(2, AT + timedelta(seconds=2))] == ["battle1"]


def test_V1_a_battle_whose_process_died_is_void() -> None:
    found = record().interrupted(NOW)
    assert found.battle.state == "void"
    assert {one.reason for one in found.turns[0].answers.values()} == {INTERRUPTED}
    for decided in (answered(), voted_and_undone()):
        assert decided.interrupted(NOW) is decided


def test_V1_an_interrupted_chat_after_the_vote_leaves_the_vote() -> None:
    voted = answered().voted(A_WINS, {}, NOW + 9).asked("And?").interrupted(NOW + 20)
    assert (voted.battle.state, voted.turns[1].answers["A"].state) == ("voted", "failed")
    assert voted.asked("Again?").battle.turns == 3


def test_a_ballot_has_what_boards_ask_for() -> None:
    found = answered(first="```python\nprint()\n```").voted(A_WINS, {"B": "soft"}, NOW + 1.5)
    (first, second) = instances()
    assert ballot_of(found) == Ballot(
        battle="x",
        at=AT + timedelta(seconds=1.5),
        verdict=A_WINS,
        entries=(
            Entry("A", "a:1b", "a:1b", "fam", tokens=12, tokens_per_s=40.0, first_token_s=0.25),
            Entry("B", rated_name(second), "b:1b", "fam", tokens=12, leak="soft"),
        ),
        fast=True,
    )
    assert first.model == "a:1b"


def test_a_ballot_is_about_the_turns_before_the_vote() -> None:
    two = answered().asked("Solve 3 + 4 in Python")
    two = two.answered(replace(two.turns[1], answers={"A": answer("7"), "B": answer("8")}), NOW)
    voted = two.voted(A_WINS, {}, NOW + 9).asked("Chat").interrupted(NOW + 10)
    ballot = ballot_of(voted)
    assert ballot.categories == {"code", "maths", "multi-turn"}
    assert not ballot.fast
    assert details_of(voted)["prompts"] == ["Why\0? 🦙", "Solve 3 + 4 in Python"]


def test_the_details_say_how_the_battle_came_about() -> None:
    voted = answered().voted(A_WINS, {}, NOW + 9, Opinion(("funny",), "Both good."))
    first, second = instances()
    assert details_of(voted) == {
        "prompt": "Why\0? 🦙", "prompts": ["Why\0? 🦙"], "system": "Be kind.", "strategy": "uniform",
        "probability": 0.5, "paced": True, "version": __version__, "tags": ["funny"], "note": "Both good.",
        "slots": {
            "A": {"instance": instance_wire(first), "digest": "d1", "answer": "One."},
            "B": {"instance": instance_wire(second), "digest": "d1", "answer": "Two."},
        },
    }  # fmt: skip


def test_V8_the_worst_leak_of_all_turns_counts() -> None:
    two = answered(first="Ask Acme.", second="I am made by Acme.").asked("Does Acme exist?")
    two = two.answered(replace(two.turns[1], answers={"A": answer("Acme does."), "B": answer("Yes.")}), NOW)
    assert find_leaks(two) == {"A": "soft", "B": "hard"}
    assert find_leaks(answered()) == {}
