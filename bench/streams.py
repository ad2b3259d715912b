"""Tokens per second and time to the first token: a streaming route against the very runner that answers behind it.

One client for both sides, in this process: it reads until the end, looks for the first text and for the count of tokens
in the last events, and decodes nothing. Rounds alternate as ABBA, so that drift hits both sides alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import aiohttp
import orjson
import psutil
from tests.servers import Server

from bench.dialects import NATIVE, Body, Dialect
from bench.figures import Figure, Goal
from bench.models import Home, Subject, runner_chat
from puna.engine.bodies import chat_body
from puna.engine.llama import LlamaDriver

MAX_SLOTS = 16
DEFAULT_SLOTS = 4
FIRST_TOKEN_LENGTH = 8  # tokens of the short answers that first tokens are timed on
WARM_UP = 2  # blocks that are thrown away: caches, connections, the CPU's clock

RATE_GOAL = Goal(0.95, "at least")
FIRST_TOKEN_GOAL = Goal(3.0, "at most")  # ms

_LAST_BYTES = 4096  # the last events of either side are shorter


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked: `blocks` of four rounds, each of `streams` answers at once."""

    streams: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Side:
    """Where to ask, one body per stream, and how many tokens each answer has."""

    dialect: Dialect
    session: aiohttp.ClientSession
    url: str
    bodies: Sequence[bytes]
    length: int


@dataclass(frozen=True, slots=True)
class Round:
    rate: float  # tokens per second, all streams together, from the first request to the last byte
    first_ms: float  # median over the streams, from the request to the first text
    tokens: int


async def measure(home: Home, subject: Subject, loads: Sequence[Load], *, first_blocks: int) -> list[Figure]:
    """All figures of one model on `/api/chat`."""
    figures: list[Figure] = []
    async for server, load in _served(home, subject, loads):
        figures += await _measure(home, server, subject, load, first_blocks)
    return figures


async def measure_rates(
    home: Home, subject: Subject, loads: Sequence[Load], dialects: Sequence[Dialect]
) -> list[Figure]:
    """Tokens per second of one model on the routes of `dialects`."""
    figures: list[Figure] = []
    async for server, load in _served(home, subject, loads):
        for dialect in dialects:
            async with _sides(home, server, subject, load.streams, subject.length, dialect) as (puna, bare):
                await _alternate(puna, bare, WARM_UP)
                figures.append(_rates(subject, load, dialect, *await _alternate(puna, bare, load.blocks)))
    return figures


async def _served(home: Home, subject: Subject, loads: Sequence[Load]) -> AsyncIterator[tuple[Server, Load]]:
    """Each load with a server for it: up to four streams run on one with the default number of slots."""
    for slots in (DEFAULT_SLOTS, MAX_SLOTS):
        with home.serving(subject, slots=slots) as server:
            for load in (load for load in loads if _slots(load) == slots):
                yield server, load


def _slots(load: Load) -> int:
    return DEFAULT_SLOTS if load.streams <= DEFAULT_SLOTS else MAX_SLOTS


async def _measure(home: Home, server: Server, subject: Subject, load: Load, first_blocks: int) -> list[Figure]:
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    async with _sides(home, server, subject, load.streams, subject.length) as (puna, bare):
        await _alternate(puna, bare, WARM_UP)
        before = _cpu_s(process)
        ours, theirs = await _alternate(puna, bare, load.blocks)
        cpu_us = (_cpu_s(process) - before) * 1e6  # it has nothing to do in the bare rounds
    firsts = ours, theirs
    if load.streams == 1:  # first tokens are timed on many short answers there
        async with _sides(home, server, subject, 1, FIRST_TOKEN_LENGTH) as (puna, bare):
            await _alternate(puna, bare, WARM_UP)
            firsts = await _alternate(puna, bare, first_blocks)
    case = _case(subject, load)
    times = [[one.first_ms for one in side] for side in firsts]
    cpu = [cpu_us / sum(one.tokens for one in ours)]
    first_goal = FIRST_TOKEN_GOAL if load.streams == 1 else None
    return [
        _rates(subject, load, NATIVE, ours, theirs),
        Figure("time to the first token, added", case, "added", "ms", *times, first_goal),
        Figure("CPU time of the server per token", case, "alone", "µs", cpu),
    ]


def _rates(subject: Subject, load: Load, dialect: Dialect, ours: Sequence[Round], theirs: Sequence[Round]) -> Figure:
    rates = [[one.rate for one in side] for side in (ours, theirs)]
    what = f"tokens/s through {dialect.path} ÷ bare runner"
    return Figure(what, _case(subject, load), "ratio", "tokens/s", *rates, RATE_GOAL)


def _case(subject: Subject, load: Load) -> str:
    return f"{subject.name}, {load.streams} stream{'s' if load.streams > 1 else ''}"


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


@asynccontextmanager
async def _sides(
    home: Home, server: Server, subject: Subject, streams: int, length: int, dialect: Dialect = NATIVE
) -> AsyncIterator[tuple[Side, Side]]:
    """Puna and its bare runner with the same requests. Every request gets a new connection, as the runner wants it."""
    prompts = [
        f"Write a very long story about llama number {number} in the high grassland." for number in range(streams)
    ]
    socket = home.runner_socket()
    unix = aiohttp.UnixConnector(str(socket), force_close=True, limit=0)
    tcp = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=tcp) as outer, aiohttp.ClientSession(connector=unix) as inner:
        bodies = [orjson.dumps(dialect.body(subject, prompt, length)) for prompt in prompts]
        driven = await _runner_bodies(home, subject, prompts, length)
        bare_bodies = [orjson.dumps(dialect.bare_body(body, length)) for body in driven]
        yield (
            Side(dialect, outer, server.url + dialect.path, bodies, length),
            Side(dialect, inner, f"http://runner{dialect.bare_path}", bare_bodies, length),
        )


async def _runner_bodies(home: Home, subject: Subject, prompts: Sequence[str], length: int) -> list[Body]:
    """What the server's own driver sends to the runner for these prompts."""
    driver = LlamaDriver(home.runner_socket())
    try:
        props = await driver.props()
    finally:
        await driver.close()
    model = home.stored(subject)
    return [chat_body(runner_chat(model, subject, prompt, length), props) for prompt in prompts]


async def _alternate(puna: Side, bare: Side, blocks: int) -> tuple[list[Round], list[Round]]:
    """Rounds in the order ABBA; the two lists pair up neighbours."""
    ours: list[Round] = []
    theirs: list[Round] = []
    for _ in range(blocks):
        ours.append(await _round(puna))
        theirs.append(await _round(bare))
        theirs.append(await _round(bare))
        ours.append(await _round(puna))
    return ours, theirs


async def _round(side: Side) -> Round:
    began = perf_counter()
    heard = await asyncio.gather(*(_listen(side, body) for body in side.bodies))
    seconds = perf_counter() - began
    tokens = len(heard) * side.length
    return Round(tokens / seconds, median(heard) * 1000, tokens)


async def _listen(side: Side, body: bytes) -> float:
    """One answer to its end; seconds to its first text."""
    first: float | None = None
    last = b""
    began = perf_counter()
    async with side.session.post(side.url, data=body, headers={"Content-Type": "application/json"}) as response:
        async for data in response.content.iter_any():
            if first is None and side.dialect.text.search(data):
                first = perf_counter() - began
            last = (last + data)[-_LAST_BYTES:]
    counts = side.dialect.count.findall(last)
    if first is None or not counts or int(counts[-1]) != side.length:
        raise RuntimeError(f"expected {side.length} tokens from {side.url}, got status {response.status}: {last!r}")
    return first
