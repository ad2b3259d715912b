"""One long system prompt under many questions: how much of all the prompts the engine really evaluates.

Counted by the server's own counters in `usage`, which are the engine's, so a busy machine changes nothing. Every
measurement has a system prompt of its own: what is cached of an earlier one is of no use to it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence

from tests.servers import Server

from bench.figures import Figure, Goal
from bench.models import Home, Subject
from bench.streams import DEFAULT_SLOTS

REQUESTS = 8
AT_ONCE = (1, DEFAULT_SLOTS)
SYSTEM_WORDS = 2000  # a token each
LENGTH = 8  # tokens of an answer
CONTEXT = 4096  # tokens per slot

EVALUATED_GOAL = Goal(0.2, "at most")

_WORDS = ("grass", "sky", "sun", "rain", "stone", "river", "bird", "wind")


async def measure(home: Home, subject: Subject, *, times: int) -> list[Figure]:
    """The tokens evaluated and sent, of eight questions one after the other and then of as many at once as slots."""
    figures = []
    with home.serving(subject, slots=DEFAULT_SLOTS, context=CONTEXT) as server:
        for at_once in AT_ONCE:
            systems = _systems(f"{subject.name} {at_once}", times)
            counted = [await _ask_all(server, subject, system, at_once) for system in systems]
            evaluated, sent = ([float(tokens) for tokens in side] for side in zip(*counted, strict=True))
            case = f"{subject.name}, {REQUESTS} requests, {at_once} at a time"
            what = "prompt tokens evaluated ÷ sent, shared system prompt"
            figures.append(Figure(what, case, "ratio", "tokens", evaluated, sent, EVALUATED_GOAL))
    return figures


def _systems(name: str, times: int) -> Iterator[str]:
    dice = random.Random(name)
    return (" ".join(dice.choices(_WORDS, k=SYSTEM_WORDS)) for _ in range(times))


async def _ask_all(server: Server, subject: Subject, system: str, at_once: int) -> tuple[int, int]:
    """Tokens evaluated and tokens sent, all requests together."""
    places = asyncio.Semaphore(at_once)

    async def ask(number: int) -> Sequence[int]:
        async with places:
            return await asyncio.to_thread(_ask, server, subject, system, f"Question {number}: what do you see?")

    counted = await asyncio.gather(*map(ask, range(REQUESTS)))
    return sum(evaluated for evaluated, _ in counted), sum(sent for _, sent in counted)


def _ask(server: Server, subject: Subject, system: str, question: str) -> tuple[int, int]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    body = {"model": subject.name, "messages": messages, "max_tokens": LENGTH, "temperature": 0}
    answer = server.post("/v1/chat/completions", body)
    assert answer.status == 200, answer.body
    usage = answer.json["usage"]
    sent: int = usage["prompt_tokens"]
    return sent - usage["prompt_tokens_details"]["cached_tokens"], sent
