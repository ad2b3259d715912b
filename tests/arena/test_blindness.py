"""Nothing that leaves the server before the vote says who sits where (contract arena V5, §2.16)."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from tests.arena.doors import Door, Reply, door
from tests.code.scripted import CHATTER, LAST, Script, Scripted, upstream

Json = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/api/arena/battles"
BATTLES = 200
AT_ONCE = 25

FAMILY, DIGEST, SIZE = "secretfamily", "d19e57" * 8, 4_815_162_342
COUNTS = {
    "total_duration": 910_000_000_017,
    "load_duration": 310_000_000_013,
    "prompt_eval_count": 73_210_001,
    "prompt_eval_duration": 130_000_000_011,
    "eval_count": 543_210_003,
    "eval_duration": 770_000_000_019,
}
"""Numbers that do not turn up by chance."""
SCRIPTS: Mapping[str, Script] = {
    "quick-secret:1b": ["An answer, ", "and the ", "rest of it."],
    "slow-secret:70b": [0.05, "An answer, ", 0.03, "and the ", 0.03, "rest of it."],
    "thinks-secret:8b": [{"message": {"content": "", "thinking": "I mused."}}, "An answer, ", "and the rest of it."],
    "dies-secret:3b": ["An answer", {"error": "CUDA is out of memory for dies-secret:3b"}],
}
TEXTS = ("Who are you?", "An answer, and the rest of it.", "An answer")

TELLING = re.compile(
    "|".join(
        [
            *("secret", "quick", "slow-", "CUDA", "memory", "mused", "temperature", "_0.7_", "0.9_40", DIGEST),
            *map(str, (SIZE, *COUNTS.values())),
        ]
    ),
    re.IGNORECASE,
)
"""What would tell a slot's model, id, size, speed, tokens, load state or context, thinking or failure."""
KEYS = {
    *("id", "at", "state", "slots", "paced", "blind", "turns", "verdict", "reveal", "undo_until"),
    *("prompt", "answers", "A", "B", "text", "error", "event", "slot", "token", "battles"),
}
HEADERS = {
    *("content-type", "content-length", "x-request-id", "date", "server", "transfer-encoding", "cache-control"),
    *("x-accel-buffering", "content-security-policy", "x-content-type-options", "referrer-policy"),
}


class Listing(Scripted):
    """Its lists have all that a model could be known by."""

    def _listed(self, name: str) -> Json:
        details = {"family": FAMILY, "parameter_size": name.partition(":")[2], "quantization_level": "Q4_0"}
        return {"name": name, "model": name, "digest": DIGEST, "size": SIZE, "size_vram": SIZE, "details": details}


@dataclass
class Recorder:
    """Everything that was answered."""

    door: Door
    replies: list[tuple[str, Reply]] = field(default_factory=list)

    async def ask(self, method: str, path: str, body: object = None) -> Reply:
        reply = await self.door.request(method, path, body)
        self.replies.append((f"{method} {path}", reply))
        return reply


GATES: dict[str, asyncio.Event] = {}
"""Prompts whose answers begin when the test says so."""


def played(body: Json) -> Script:
    script, gate = SCRIPTS[body["model"]], GATES.get(body["messages"][-1]["content"])
    return [gate, *script] if gate else script


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[Door]:
    model = Listing(script=played, last={**LAST, **COUNTS}, models=dict.fromkeys(SCRIPTS, CHATTER))
    async with upstream(model) as (_, endpoint), door(endpoint, parallel=64) as found:
        yield found


async def fought(recorder: Recorder, models: list[str], early: str) -> str:
    """A battle up to the vote, looked at from all sides and touched before there is an answer."""
    prompt = f"{TEXTS[0]} ({len(GATES)})"
    gate = GATES[prompt] = asyncio.Event()
    body = {"prompt": prompt, "model_instances": [{"model": name} for name in models]}
    battle_id: str = (await recorder.ask("POST", PATH, body)).json["id"]
    watching = asyncio.create_task(recorder.ask("GET", f"{PATH}/{battle_id}/events"))
    await recorder.ask("GET", f"{PATH}/{battle_id}")
    await recorder.ask("POST", f"{PATH}/{battle_id}/{early}", {"prompt": "And?", "choice": "A"})
    gate.set()
    await watching
    for path in (f"{PATH}/{battle_id}", f"{PATH}/{battle_id}/events", f"{PATH}?limit=3"):
        await recorder.ask("GET", path)
    for wrong in ({"choice": "Z"}, {"choice": "A", "note": 1}):
        await recorder.ask("POST", f"{PATH}/{battle_id}/vote", wrong)
    return battle_id


def keys(value: object) -> Iterator[str]:
    match value:
        case dict():
            for key, item in value.items():
                yield key
                yield from keys(item)
        case list():
            for item in value:
                yield from keys(item)


async def test_V5_the_recorded_traffic_of_200_battles_tells_nothing_before_the_vote(
    opened: Door, caplog: pytest.LogCaptureFixture
) -> None:
    recorder, rng, places = Recorder(opened), random.Random(7), asyncio.Semaphore(AT_ONCE)

    async def one() -> str:
        async with places:
            return await fought(recorder, rng.sample(list(SCRIPTS), 2), rng.choice(["vote", "skip", "reveal", "turns"]))

    with caplog.at_level(logging.DEBUG):
        battles = await asyncio.gather(*(one() for _ in range(BATTLES)))
        logged = [f"{record.getMessage()} {vars(record)}" for record in caplog.records]
    for asked, reply in recorder.replies:
        wire = f"{asked} {reply.status} {dict(reply.headers)} {reply.body.decode()}"
        assert TELLING.search(wire) is None, wire
        assert reply.headers.keys() <= HEADERS
        assert {key for line in reply.lines for key in keys(line)} <= KEYS
    assert len(recorder.replies) == 9 * BATTLES
    assert any("/api/arena/battles" in line for line in logged)
    assert [line for line in logged if TELLING.search(line)] == []

    states = [(await opened.get(f"{PATH}/{battle_id}")).json["state"] for battle_id in battles]
    assert set(states) == {"ready", "void"}
    known = await opened.post(f"{PATH}/{battles[states.index('ready')]}/vote", {"choice": "A"})
    assert TELLING.search(known.body.decode())


async def test_V5_answers_of_every_speed_look_alike(opened: Door) -> None:
    """Of two instances with the same words, one of which waits before each: the same lines for both slots."""
    recorder = Recorder(opened)
    body = {"prompt": TEXTS[0], "model_instances": [{"model": "quick-secret:1b"}, {"model": "slow-secret:70b"}]}
    for _ in range(3):
        battle_id = (await recorder.ask("POST", PATH, body)).json["id"]
        lines = (await recorder.ask("GET", f"{PATH}/{battle_id}/events")).lines
        a, b = ([{**line, "slot": ""} for line in lines if line.get("slot") == slot] for slot in "AB")
        assert a == b
        assert "".join(line.get("token", "") for line in a) == TEXTS[1]


async def test_V5_a_further_turn_is_as_blind(opened: Door) -> None:
    recorder = Recorder(opened)
    body = {"prompt": TEXTS[0], "model_instances": [{"model": "quick-secret:1b"}, {"model": "thinks-secret:8b"}]}
    battle_id = (await recorder.ask("POST", PATH, body)).json["id"]
    await recorder.ask("GET", f"{PATH}/{battle_id}/events")
    await recorder.ask("POST", f"{PATH}/{battle_id}/turns", {"prompt": TEXTS[0]})
    await recorder.ask("GET", f"{PATH}/{battle_id}/events")
    found = await recorder.ask("GET", f"{PATH}/{battle_id}")
    assert [turn["answers"]["A"]["text"] for turn in found.json["turns"]] == [TEXTS[1]] * 2
    assert not any(TELLING.search(reply.body.decode()) for _, reply in recorder.replies)
