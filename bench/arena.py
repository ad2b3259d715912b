"""The arena's leaderboard, with far more votes than one person gives, against the least that any program has to do.

The baseline reads the same rows from the same file, parses their JSON, counts wins by pair and fits them by Newton's
method: no filters, no columns, no intervals, no HTTP. The database is written once, by the arena's own storage; every
vote has a prompt and two answers beside its ballot, as real ones have.
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

import numpy as np
from tests.servers import Server, free_port

from bench.figures import Figure, Goal
from puna.arena.ballots import Ballot, Entry
from puna.arena.board import Method, leaderboards
from puna.arena.ratings import PRIOR, Fit, Games, fit, posterior
from puna.arena.storage.votes import Vote, Votes
from puna.arena.verdicts import Verdict
from puna.database import Database, database_url

PLAYERS = 40
FIT_GOAL, PAGE_GOAL, SAMPLES_GOAL = Goal(300, "at most"), Goal(1000, "at most"), Goal(1500, "at most")  # L6, ms
USUAL, FEW = 5000, 999  # battles: of L6, and the most whose intervals are sampled
WORDS = "the quick answer of a model goes on and on until it has said what there was to say " * 8
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Poll:
    """A database with so many votes."""

    path: Path
    votes: int

    @property
    def case(self) -> str:
        return f"{self.votes:,} votes, {PLAYERS} players"

    @contextmanager
    def served(self) -> Iterator[Server]:
        """`puna arena` on it, just started, in front of an endpoint that is not there."""
        port = free_port()
        environment = {
            "PUNA_DATABASE": str(self.path), "PUNA_ARENA_PORT": str(port), "PUNA_HOST": "http://127.0.0.1:9"
        }  # fmt: skip
        home = self.path.parent / "home"
        with Server(home / "models", home, environment, command="arena", port=port) as server:
            yield server


def measure(folder: Path, *, many: int, starts: int, turns: int) -> list[Figure]:
    """`starts` servers for each first answer, `turns` of every other one."""
    large, usual = (written(folder / f"{count}.db", count) for count in (many, USUAL))
    rows = _bare_rows(large.path)
    first, base_first, again = [], [], []
    for _ in range(starts):
        with large.served() as server:
            first.append(_ask(server))
            base_first.append(_ms(lambda: _bare_fit(_bare_rows(large.path))))
            again += [_ask(server) for _ in range(turns)]
    with large.served() as server:
        _ask(server)
        queries = (f"?from=2000-01-{turn + 1:02}" for turn in range(turns))  # all votes, and not asked before
        other, base_other = zip(
            *((_ask(server, query), _ms(lambda: _bare_fit(rows))) for query in queries), strict=True
        )
    page = [_first_ms(usual) for _ in range(starts)]
    start = f"{large.case}, first time after a start"
    return [
        Figure("leaderboard ÷ bare reading and fit", start, "ratio", "ms", first, base_first),
        Figure("leaderboard ÷ bare fit", f"{large.case}, other filters", "ratio", "ms", other, base_other),
        Figure("leaderboard, asked again", large.case, "alone", "ms", again, goal=PAGE_GOAL),
        Figure("leaderboard, first time after a start", usual.case, "alone", "ms", page, goal=PAGE_GOAL),
        *_reckoning(turns),
    ]


def _reckoning(turns: int) -> list[Figure]:
    """Without a server: what L6 has limits for."""
    quick = Method(certainty="laplace")
    usual, few = list(ballots(USUAL)), _fitted(FEW)
    boards = [_ms(lambda: leaderboards(usual, method=quick)) for _ in range(turns)]
    samples = [_ms(lambda: posterior(few)) for _ in range(turns)]
    cases = [f"{count:,} votes, {PLAYERS} players" for count in (USUAL, FEW)]
    return [
        Figure("a leaderboard's fit and columns", cases[0], "alone", "ms", boards, goal=FIT_GOAL),
        Figure("a leaderboard's exact intervals", cases[1], "alone", "ms", samples, goal=SAMPLES_GOAL),
    ]


def written(path: Path, count: int) -> Poll:
    """A new database of so many votes."""
    database = Database(database_url(str(path)))
    Votes(database).add_many(_vote(number, ballot) for number, ballot in enumerate(ballots(count), start=1))
    database.close()
    return Poll(path, count)


def ballots(count: int) -> Iterator[Ballot]:
    """Battles of two among players of different strength; the same in every run."""
    dice = random.Random(count)
    strengths = [dice.gauss(0, 0.6) for _ in range(PLAYERS)]
    for number in range(count):
        seats = dice.sample(range(PLAYERS), 2)
        chance = 1 / (1 + math.exp(strengths[seats[1]] - strengths[seats[0]]))
        luck = dice.random()
        choice = "tie" if luck < 0.1 else "both_bad" if luck < 0.15 else "A" if dice.random() < chance else "B"
        entries = tuple(_entry(slot, player, dice) for slot, player in zip("AB", seats, strict=True))
        categories = frozenset(dice.sample(("code", "maths", "long"), dice.randrange(3)))
        at, verdict = START + timedelta(minutes=number), Verdict.of("AB", choice)
        yield Ballot(f"b{number:06}", at, verdict, entries, categories=categories)


def _entry(slot: str, player: int, dice: random.Random) -> Entry:
    return Entry(
        slot=slot,
        instance=f"model{player}_7b__0.7_0.9_40_1.1_-1_0",
        model=f"model{player}:7b",
        family=f"family{player % 6}",
        tokens=dice.randrange(50, 800),
        tokens_per_s=round(dice.uniform(10, 90), 2),
        first_token_s=round(dice.random(), 3),
    )


def _vote(number: int, ballot: Ballot) -> Vote:
    slots = {entry.slot: {"digest": "0" * 64, "answer": WORDS} for entry in ballot.entries}
    details = {"prompt": "What is there to say?", "strategy": "uniform", "probability": 1 / 780, "slots": slots}
    return Vote(UUID(int=number, version=4).hex, "vote", ballot.battle, ballot.at, ballot, details)


def _ask(server: Server, query: str = "") -> float:
    """One answer on a new connection, to the last byte."""
    began = perf_counter()
    answer = server.get(f"/api/arena/leaderboard{query}")
    milliseconds = (perf_counter() - began) * 1000
    assert answer.status == 200, answer.body
    assert len(answer.json["boards"][0]["lines"]) == PLAYERS
    return milliseconds


def _first_ms(poll: Poll) -> float:
    with poll.served() as server:
        return _ask(server)


def _bare_rows(path: Path) -> list[Mapping[str, Any]]:
    connection = sqlite3.connect(path)
    try:
        return [json.loads(text) for (text,) in connection.execute("SELECT ballot FROM arena_votes ORDER BY seq")]
    finally:
        connection.close()


def _bare_fit(rows: Sequence[Mapping[str, Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Bradley-Terry strengths with the contract's prior, in as few lines as it takes."""
    names = sorted({entry["instance"] for row in rows for entry in row["entries"]})
    place = {name: index for index, name in enumerate(names)}
    wins = np.zeros((len(names), len(names)))
    for row in rows:
        one, other = (place[entry["instance"]] for entry in row["entries"])
        verdict = row["verdict"]
        score = 0.5 if len(verdict["groups"]) == 1 else float(verdict["groups"][0] == ["A"])
        wins[one, other] += score
        wins[other, one] += 1 - score
    theta, games = np.zeros(len(names)), wins + wins.T
    for _ in range(20):
        chance = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
        weight = games * chance * (1 - chance)
        hessian = np.diag(weight.sum(axis=1) + PRIOR) - weight
        theta = theta + np.linalg.solve(hessian, (wins - games * chance).sum(axis=1) - PRIOR * theta)
    return theta


def _fitted(count: int) -> Fit:
    rows = (ballot.verdict.rows(ballot.players("instance"), ballot.battle) for ballot in ballots(count))
    return fit(Games.of([row for each in rows for row in each]))


def _ms(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return (perf_counter() - began) * 1000
