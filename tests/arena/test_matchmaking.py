"""Who is drawn for a battle, from which pool (contract arena §2.3, §2.4)."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from puna.arena.ballots import Ballot, Entry
from puna.arena.catalog import Catalog
from puna.arena.failures import Refused
from puna.arena.instances import read_instances
from puna.arena.matchmaking import Matchmaker, odds_by
from puna.arena.pairs import MAX_STREAK, REST_S, Strategy
from puna.arena.players import Players
from puna.arena.verdicts import Verdict

AT = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def matchmaker(clock: Clock | None = None) -> Matchmaker:
    return Matchmaker(random.Random(7), clock or Clock())


def ballot(first: str, second: str, **changes: Any) -> Ballot:
    entries = tuple(Entry(slot, name, name, name) for slot, name in (("A", first), ("B", second)))
    return Ballot("x", AT, Verdict.of("AB", "A"), entries, **changes)


UNIFORM = odds_by("uniform", ())


def test_every_pair_is_drawn_and_its_probability_told() -> None:
    made = matchmaker()
    drawn = [made.draw("ABC", 2, UNIFORM) for _ in range(300)]
    assert [one.probability for one in drawn] == pytest.approx([1 / 3] * 300)
    assert min(Counter(one.players for one in drawn).values()) > 70


def test_who_failed_rests_for_ten_minutes() -> None:
    clock = Clock()
    made = matchmaker(clock)
    made.failed("A")
    clock.now += REST_S - 1
    assert {made.draw("ABC", 2, UNIFORM).players for _ in range(20)} == {("B", "C")}
    clock.now += 1
    assert len({made.draw("ABC", 2, UNIFORM).players for _ in range(50)}) == 3


def test_V5_who_rests_is_not_told_by_a_refusal() -> None:
    made = matchmaker()
    made.failed("A")
    assert made.draw("AB", 2, UNIFORM).players == ("A", "B")


def test_a_challenger_does_not_rest() -> None:
    made = matchmaker()
    made.failed("A")
    odds = odds_by("challenger", (), "A")
    assert all("A" in made.draw("ABC", 2, odds, fixed="A").players for _ in range(20))


def test_loaded_players_meet_at_most_five_times_in_a_row() -> None:
    made = matchmaker()
    drawn = [made.draw("ABCD", 2, UNIFORM, loaded={"A", "B"}) for _ in range(60)]
    kept = [drawn[start : start + MAX_STREAK] for start in range(0, 60, MAX_STREAK + 1)]
    assert all(one.players == ("A", "B") and one.probability == 1 for group in kept for one in group)
    free = drawn[MAX_STREAK :: MAX_STREAK + 1]
    assert [one.probability for one in free] == pytest.approx([1 / 6] * 10)
    assert len({one.players for one in free}) > 1


@pytest.mark.parametrize(
    ("players", "slots", "text"), [("", 2, "there are none"), ("A", 2, "there is one"), ("AB", 3, "fewer")]
)
def test_too_few_players_are_refused_with_what_to_do(players: str, slots: int, text: str) -> None:
    with pytest.raises(Refused, match=text):
        matchmaker().draw(players, slots, UNIFORM)


@pytest.mark.parametrize("strategy", ["least_played", "informative"])
def test_pairs_that_met_often_meet_less(strategy: Strategy) -> None:
    met = [ballot("A", "B"), ballot("B", "A")] * 20 + [ballot("A", "stranger")]
    odds = odds_by(strategy, met)("ABC")
    assert odds["A", "B"] < odds["A", "C"] == pytest.approx(odds["B", "C"], rel=0.01)
    assert odds_by(strategy, [ballot("A", "B", blind=False)] * 20)("ABC") == pytest.approx(UNIFORM("ABC"))


def model(name: str, endpoint: str = "first", **more: Any) -> dict[str, Any]:
    known = {"capabilities": ["completion"], "family": "fam", "digest": "d1", "loaded": None}
    return {"name": name, "endpoint": endpoint, **known, **more}


CATALOG = Catalog(
    models=(
        model("a:latest", loaded=0.0),
        model("embedder", capabilities=["embedding"]),
        model("untold", capabilities=[], family=None, digest=None),
        model("not a name"),
        model("a:latest", "second"),
    ),
    unreachable=(),
)


def test_everyone_who_writes_plays_where_nobody_is_named() -> None:
    players = Players.of((), CATALOG, "first")
    settings = "0.7_0.9_40_1.1_-1_0"
    assert list(players.seats) == [f"a_latest__{settings}", f"untold__{settings}", f"a_latest__{settings}@second"]
    assert players.loaded == {f"a_latest__{settings}"}
    assert [seat.instance.endpoint for seat in players.seats.values()] == ["", "", "second"]


def test_those_that_are_named_play_and_what_is_known_of_them_is_added() -> None:
    named = [{"model": "a"}, {"model": "a", "seed": 1}, {"model": "hub.example/acme/rocket:7b"}]
    players = Players.of(read_instances(named, extended=True), CATALOG, "first")
    assert [(seat.family, seat.digest) for seat in players.seats.values()] == [
        ("fam", "d1"),
        ("fam", "d1"),
        ("rocket", ""),
    ]
    assert len(players.loaded) == 2
    assert players.words == {"fam", "acme", "rocket"}


def test_two_names_of_one_player_are_one_player() -> None:
    named = read_instances([{"model": "a", "id": "one"}, {"model": "a", "id": "two"}], extended=True)
    assert len(Players.of(named, CATALOG, "first").seats) == 1
