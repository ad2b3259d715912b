"""Memory of a server with one model in it, against the bare engine with the same model and the same parameters.

Proportional set size where the system has it: a page that several processes map counts for each by its share, so that
neither the weights (mapped from the file) nor the libraries that server and runner share are counted twice. Elsewhere
the unique set size. The two sides never run at the same time: they would share the weights with each other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from bench.figures import Figure
from bench.models import CONTEXT, GREETING, Home, Subject, chat, runner_chat
from bench.streams import DEFAULT_SLOTS
from puna.engine.memory import system_memory
from puna.engine.policy import Limits, make_plan
from puna.engine.runner import Launch, Runner
from puna.engine.subject import weights_of
from puna.engine.types import LoadOptions

MEBIBYTE = 1 << 20
PROMPT = "Write a very long story about a llama in the high grassland."


async def measure(home: Home, subject: Subject, *, times: int) -> Figure:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(times):
        ours.append(await asyncio.to_thread(_served, home, subject))
        theirs.append(await _bare(home, subject))
    case = f"{subject.name} loaded"
    return Figure("memory of server and runner ÷ bare runner", case, "ratio", "MiB", ours, theirs)


def _served(home: Home, subject: Subject) -> float:
    with home.serving(subject, slots=DEFAULT_SLOTS) as server:  # which begins with the greeting
        answer = server.post("/api/chat", chat(subject, PROMPT))
        assert answer.lines[-1]["done"], answer.body
        assert server.process is not None
        return sum(_mebibytes(pid) for pid in (server.process.pid, *(child.pid for child in server.runners())))


async def _bare(home: Home, subject: Subject) -> float:
    model = home.stored(subject)
    async with _runner(home, subject) as runner:
        for text in (GREETING, PROMPT):
            async for _ in runner.driver.chat(runner_chat(model, subject, text)):
                pass
        return _mebibytes(runner.pid)


@asynccontextmanager
async def _runner(home: Home, subject: Subject) -> AsyncIterator[Runner]:
    """The runner that a server would start, without a server."""
    limits = Limits(num_parallel=DEFAULT_SLOTS, context_length=CONTEXT)
    plan = make_plan(weights_of(home.stored(subject)), LoadOptions(), system_memory(), limits)
    runner = await Runner.start(plan, subject.name, Launch({"PATH": os.environ["PATH"]}), home.sockets)
    try:
        yield runner
    finally:
        await runner.stop()


def _mebibytes(pid: int) -> float:
    info = psutil.Process(pid).memory_full_info()
    return (info.pss if psutil.LINUX else info.uss) / MEBIBYTE
