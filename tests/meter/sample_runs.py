"""Runs that were never measured: records with known speeds, so that reports have something to show. Seeded."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from puna.meter.cell import Cell, EndpointInfo, Host, Loaded, ModelResult, RunResult
from puna.meter.plan import CellPlan, ListedModel, Settings
from puna.meter.records import RequestRecord, ServerTimings, Stamp
from puna.units import NS

STARTED = "2026-11-23T08:30:00.123456+00:00"
HOST = Host("AMD Ryzen 7 7840U", 8, 32 * 10**9, (), "Linux 6.1.0 x86_64")
ENDPOINT = EndpointInfo("local", "http://127.0.0.1:11434", "ollama", "0.12.0", 350_000)


@dataclass(frozen=True, slots=True)
class Speed:
    """Of a model nobody asks at the same time: tokens per second, seconds; `noise` is a coefficient of variation."""

    decode: float = 40.0
    prefill: float = 400.0
    ttft: float = 0.2
    noise: float = 0.02


def record(name: str, speed: Speed, dice: random.Random, *, tokens: int = 64, send_ns: int = 0) -> RequestRecord:
    decode, prefill = (rate * dice.gauss(1, speed.noise) for rate in (speed.decode, speed.prefill))
    at_s, stamps = speed.ttft * dice.gauss(1, speed.noise), []
    for _ in range(tokens):
        stamps.append(Stamp(int(at_s * NS), "answer", 4))
        at_s += max(0.0005, dice.gauss(1, 0.15) / decode)
    timings = ServerTimings(
        total_ns=int((at_s + 0.06) * NS),
        load_ns=int(0.05 * NS),
        prompt_tokens=128,
        prompt_ns=int(128 / prefill * NS),
        output_tokens=tokens,
        output_ns=int(tokens / decode * NS),
    )
    first = stamps[0].at_ns if stamps else None
    return RequestRecord(
        name, "local", "chat", "why is the sky blue?", STARTED, send_ns=send_ns, headers_ns=2_000_000,
        first_chunk_ns=first, stamps=tuple(stamps), end_ns=int(at_s * NS), server=timings,
    )  # fmt: skip


def cell(name: str, speed: Speed, *, seed: int = 0, requests: int = 5, tokens: int = 64, **plan: object) -> Cell:
    dice, users = random.Random(f"{name!a}/{seed}/{plan}"), int(str(plan.get("concurrency", 1)))
    records: list[RequestRecord] = []
    for index in range(requests * users):
        round_ns = max((each.send_ns + each.end_ns for each in records), default=0) if index % users == 0 else 0
        send_ns = round_ns or (records[-1].send_ns if records else 0)
        records.append(record(name, speed, dice, tokens=tokens, send_ns=send_ns))
    wall_ns = max((each.send_ns + each.end_ns for each in records), default=0)
    made = CellPlan(repeats=requests, **plan)  # type: ignore[arg-type]
    return Cell(made, Settings(num_predict=tokens, seed=7, temperature=0.0), tuple(records), wall_ns, 400_000)


def listed(name: str, size_bytes: int = 2_000_000_000, **fields: object) -> ListedModel:
    details = {"parameter_size": f"{size_bytes / 6e8:.1f}B", "quantization_level": "Q4_K_M"}
    made = ListedModel(
        "local", name, "sha256:" + "ab" * 32, size_bytes, "2026-10-01T00:00:00Z", details,
        {"llama.context_length": 32768}, ("completion",),
    )  # fmt: skip
    return replace(made, **fields)


def result(name: str, speed: Speed | None = None, *cells: Cell, size_bytes: int = 2_000_000_000) -> ModelResult:
    speed = speed or Speed()
    warm_up = record(name, speed, random.Random(ascii(name)))
    loaded = Loaded(int(size_bytes * 1.2), 0, 8192)
    return ModelResult(listed(name, size_bytes), cells or (cell(name, speed),), loaded, warm_up)


def run(*models: ModelResult, arguments: Sequence[str] = ("--local", "--ttft", "--tps")) -> RunResult:
    return RunResult(
        "3f2a1b7c-0000-4000-8000-000000000000", STARTED, tuple(arguments), "0.6.0", HOST, (ENDPOINT,), models
    )


@cache
def laptop() -> RunResult:
    """Seven models with sweeps over depth and users, one that failed, one that stalls: what a good report shows."""
    sizes = {
        "smollm2:135m": (0.27, 180), "qwen3:0.6b": (0.52, 96), "llama3.2:1b": (1.3, 61), "gemma3:1b": (0.82, 60.4),
        "qwen3:4b": (2.6, 19.5), "llama3.1:8b": (4.9, 10.2), "hf.co/bartowski/Mistral-Nemo-Instruct-2407-GGUF:Q4_K_M": (7.5, 6.6),
    }  # fmt: skip
    models = []
    for name, (gigabytes, decode) in sizes.items():
        speed = Speed(decode, decode * 9, 0.05 + 6 / decode, 0.02 if decode > 15 else 0.06)
        cells = [cell(name, speed, requests=9)]
        for depth in (2048, 4096, 8192):
            slower = replace(speed, decode=decode / (1 + depth / 9000), prefill=speed.prefill / (1 + depth / 20000))
            cells.append(cell(name, slower, depth=depth))
        for users in (2, 4, 8, 16):
            share = min(users, 4) ** 0.75 / users
            each = replace(speed, decode=decode * share, ttft=speed.ttft * max(1, users / 3))
            cells.append(cell(name, each, concurrency=users))
        models.append(result(name, speed, *cells, size_bytes=int(gigabytes * 1e9)))
    models[2] = replace(models[2], cells=(stalling(models[2].cells[0]), *models[2].cells[1:]))
    return run(*models, broken("phi4:14b"))


def broken(name: str) -> ModelResult:
    """Every request failed."""
    failed = tuple(
        RequestRecord(
            name,
            "local",
            "chat",
            "why?",
            STARTED,
            attempts=4,
            error="model requires more system memory (9.1 GiB) than is available",
        )
        for _ in range(3)
    )
    return ModelResult(listed(name, 9_100_000_000), (Cell(CellPlan(), Settings(), failed, NS, 0),))


def stalling(good: Cell) -> Cell:
    """The first request pauses for 1.2 s in the middle."""
    first = good.records[0]
    half = len(first.stamps) // 2
    late = tuple(replace(stamp, at_ns=stamp.at_ns + int(1.2 * NS)) for stamp in first.stamps[half:])
    slow = replace(first, stamps=(*first.stamps[:half], *late), end_ns=first.end_ns + int(1.2 * NS))
    return replace(good, records=(slow, *good.records[1:]))
