"""The meter against an endpoint whose truth is known: how wrong are its times, and how many streams can it watch?

The endpoint is a process of its own and notes when each chunk really left it. What the meter makes of the same chunks,
on the far side of a loopback connection, is compared request by request; the worst one of each round is the sample.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from tests.meter.synthetic import Script

from bench.figures import Figure, Goal
from puna.client import Endpoint
from puna.client.timed import TimedClient
from puna.meter.cell import MAX_LAG_NS, Cell
from puna.meter.measure import Measurement
from puna.meter.metrics import decode_client, ttft
from puna.meter.plan import CellPlan, ListedModel, Plan, Target
from puna.units import NS

SCRIPT = Script(ttft_s=0.2, gap_s=0.02, tokens=100)  # 50 tokens per second and stream, as a good GPU gives
SENDS_PER_S = 250  # a new stream every 4 ms until all are there
STEPS = (50, 100, 150, 200, 250, 300, 400, 500)
TRIES = 3  # of a step: a moment in which others have the processor says nothing about the meter

GOALS = {1: Goal(1.0, "at most"), 100: Goal(5.0, "at most")}  # per cent


@dataclass(frozen=True, slots=True)
class Errors:
    """The worst of one round, in per cent of the truth; `lost` requests failed or have another count of tokens."""

    ttft: float
    rate: float
    lost: int


async def measure(*, rounds: int) -> list[Figure]:
    figures = []
    with _endpoint() as endpoint:
        async with TimedClient(endpoint) as client:
            for streams, goal in GOALS.items():
                await _cell(client, endpoint, streams)  # opens the connections, which would be part of a TTFT
                errors = [await _errors(client, endpoint, streams) for _ in range(rounds)]
                case = f"{streams} stream{'s' * (streams > 1)} of 50 tok/s"
                first, rate = [error.ttft for error in errors], [error.rate for error in errors]
                lost = [float(error.lost) for error in errors]
                figures += [
                    Figure("error of the meter's TTFT, worst request", case, "alone", "%", first, goal=goal),
                    Figure("error of the meter's tokens/s, worst request", case, "alone", "%", rate, goal=goal),
                    Figure("requests with another count of tokens", case, "alone", "", lost, goal=Goal(0, "at most")),
                ]
            most = [float(await _most_streams(client, endpoint)) for _ in range(min(rounds, 3))]
            limit = f"{MAX_LAG_NS / 1e6:.0f} ms"
            case = "50 tok/s each"
            figures.append(Figure(f"streams with the meter's own lag p99 below {limit}", case, "alone", "", most))
    return figures


async def _errors(client: TimedClient, endpoint: Endpoint, streams: int) -> Errors:
    cell = await _cell(client, endpoint, streams)
    truth: dict[str, list[int]] = await client.get("/truth")
    first, rate, lost = [0.0], [0.0], 0
    for record in cell.records:
        left = truth.get(record.prompt, [])
        seen_first, seen_rate = ttft(record), decode_client(record)
        if len(left) != SCRIPT.tokens or record.server.output_tokens != SCRIPT.tokens or not (seen_first and seen_rate):
            lost += 1
            continue
        true_rate = (len(left) - 1) / ((left[-1] - left[0]) / NS)
        first.append(100 * abs(seen_first / (left[0] / NS) - 1))
        rate.append(100 * abs(seen_rate / true_rate - 1))
    return Errors(max(first), max(rate), lost + streams - len(cell.records))


async def _most_streams(client: TimedClient, endpoint: Endpoint) -> int:
    """The last step before the first one whose cells are all void."""
    most = 0
    for streams in STEPS:
        for _ in range(TRIES):
            if not (await _cell(client, endpoint, streams)).void:
                most = streams
                break
        if most < streams:
            break
    return most


async def _cell(client: TimedClient, endpoint: Endpoint, streams: int) -> Cell:
    """One stream for each of that many prompts, all of them in flight together."""
    prompts = tuple(f"question {number}" for number in range(streams))
    plan = Plan((CellPlan(prompts=prompts, arrival="constant", rate=SENDS_PER_S),), warm_up=False)
    measurement = Measurement(client, Target("synthetic", endpoint), [ListedModel("synthetic", "m")], plan)
    async for _ in measurement.events():
        pass
    return measurement.results()[0].cells[0]


@contextmanager
def _endpoint() -> Iterator[Endpoint]:
    command = [sys.executable, "-m", "tests.meter.synthetic", json.dumps({"m": asdict(SCRIPT)})]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Endpoint(port=int(process.stdout.readline()))
        finally:
            process.stdin.close()
