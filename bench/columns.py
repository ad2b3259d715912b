"""What it costs to ask one model with four settings at once: contract arena, issue row "4 settings of one model ÷ 1".

A real `puna arena` stands in front of a real `puna serve`. The settings differ in sampling only, so the runtime works
on them as one batch on one runner; the answers have a fixed number of tokens, and each question a number of its own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from time import perf_counter

import aiohttp
from tests.servers import Server, free_port

from bench.figures import Figure, Goal
from bench.models import Home, Subject

SETTINGS = 4
CONTEXT = 2048  # tokens per slot
LENGTH = 64  # tokens of an answer

GOAL = Goal(2.0, "at most")

_numbers = itertools.count()


async def measure(home: Home, subject: Subject, *, times: int) -> list[Figure]:
    """Wall times of one answer and of four, taken in turns."""
    one: list[float] = []
    four: list[float] = []
    with home.serving(subject, slots=SETTINGS, context=CONTEXT) as runtime:
        port = free_port()
        environment = {"PUNA_HOST": runtime.url}
        arguments = ("--port", str(port), "--no-embedded")
        home_of_arena = runtime.home / "arena"
        arena = Server(runtime.models, home_of_arena, environment, arguments, command="arena", port=port)
        with arena:
            async with aiohttp.ClientSession(arena.url) as session:
                await _ask(session, subject, SETTINGS)
                for _ in range(times):
                    one.append(await _ask(session, subject, 1))
                    four.append(await _ask(session, subject, SETTINGS))
    what = f"{SETTINGS} settings of one model ÷ 1, wall time of /api/chat"
    return [Figure(what, f"{subject.name}, {LENGTH} tokens each", "ratio", "ms", four, one, GOAL)]


async def _ask(session: aiohttp.ClientSession, subject: Subject, settings: int) -> float:
    """Milliseconds until all answers are there. A question that one of them answers briefly does not count."""
    body = {
        "message": f"Question {next(_numbers)}: tell me a long story about a llama.",
        "model_instances": [_instance(subject, number) for number in range(settings)],
    }
    began = perf_counter()
    async with session.post("/api/chat", json=body) as response:
        answer = await response.json()
    took = (perf_counter() - began) * 1000
    await asyncio.sleep(0.1)  # until the slots are free for certain
    return took if _tokens(answer) == [LENGTH] * settings else await _ask(session, subject, settings)


def _instance(subject: Subject, number: int) -> dict[str, object]:
    return {"model": subject.name, "temperature": 0.5 + number / 4, "num_predict": LENGTH, "seed": number + 1}


def _tokens(answer: dict[str, dict[str, dict[str, int]]]) -> Sequence[int]:
    entries = answer["results"].values() if "results" in answer else [answer]
    return [entry["metrics"]["tokens"] for entry in entries]
