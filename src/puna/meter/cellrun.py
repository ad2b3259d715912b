"""One cell while it is measured: who sends when, closed loop or open, round after round (contract meter §19, §20)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle
from time import monotonic_ns

from puna.meter.arrivals import arrivals
from puna.meter.cell import Cell
from puna.meter.lag import LoopLag, lag_p99
from puna.meter.metrics import ttft
from puna.meter.plan import CellPlan, Settings
from puna.meter.records import RequestRecord
from puna.meter.request import Clock
from puna.meter.saturation import Answered, over_saturated
from puna.units import NS

_LOOK_S = 1.0  # how often over-saturation is looked for


@dataclass(frozen=True, slots=True)
class Order:
    """What to send next: a prompt, and a seed that no other request of the cell has."""

    prompt: str
    seed: str


Send = Callable[[CellPlan, Order, Clock], Awaitable[RequestRecord]]


class CellRun:
    """Gathers the records of one cell. `stopped` may be set from outside: nothing more is sent then."""

    def __init__(self, plan: CellPlan, send: Send) -> None:
        self.plan = plan
        self.stopped = ""
        self._send = send
        self._records: list[RequestRecord] = []
        self._lags: list[int] = []
        self._in_flight = 0
        self._answered: list[Answered] = []
        self._looked_s = 0.0

    @property
    def rounds(self) -> int:
        """How many times `round` has something to do: an open loop and a fixed duration are not interrupted."""
        return 1 if self._is_whole else self.plan.repeats

    @property
    def _is_whole(self) -> bool:
        return self.plan.rate is not None or self.plan.duration_s is not None

    async def round(self, number: int) -> None:
        """Send the list of prompts once: each of `concurrency` users, or an open loop all of it at its rate."""
        if self.stopped or number >= self.rounds:
            return
        # Rounds follow one another on the cell's clock: what other models did in between is not this one's time.
        began_ns = monotonic_ns() - max((record.send_ns + record.end_ns for record in self._records), default=0)
        orders = self._orders(number, began_ns)
        async with LoopLag(self._lags):
            await (self._closed(orders, began_ns) if self.plan.rate is None else self._open(orders, began_ns))

    def cell(self, settings: Settings, *, contended: bool) -> Cell | None:
        """What there is so far; None before anything was sent or refused."""
        if not self._records and not self.stopped:
            return None
        records = sorted(self._records, key=lambda record: record.send_ns)
        wall_ns = 0
        if records:
            wall_ns = max(record.send_ns + record.end_ns for record in records) - records[0].send_ns
        return Cell(self.plan, settings, tuple(records), wall_ns, lag_p99(self._lags), contended, self.stopped)

    def _orders(self, number: int, began_ns: int) -> Iterator[Order]:
        plan = self.plan
        seed = f"{plan.seed}/{plan.depth}/{plan.concurrency}/{plan.batch}/{plan.rate or 0:g}/{number}"
        if plan.duration_s is not None and plan.rate is None:
            until_ns = began_ns + int(plan.duration_s * NS)
            for index, prompt in zip(count(), cycle(plan.prompts), strict=False):
                if monotonic_ns() >= until_ns:
                    return
                yield Order(prompt, f"{seed}/{index}")
        elif plan.rate is not None:
            yield from (Order(prompt, f"{seed}/{index}") for index, prompt in zip(count(), cycle(plan.prompts)))
        else:
            prompts = (prompt for prompt in plan.prompts for _ in range(plan.concurrency))
            yield from (Order(prompt, f"{seed}/{index}") for index, prompt in enumerate(prompts))

    async def _closed(self, orders: Iterator[Order], began_ns: int) -> None:
        """A user who is free sends at once; the users share the orders."""

        async def user() -> None:
            for order in orders:
                await self._one(order, Clock(began_ns))

        async with asyncio.TaskGroup() as users:
            for _ in range(self.plan.concurrency):
                users.create_task(user())

    async def _open(self, orders: Iterator[Order], began_ns: int) -> None:
        """Requests go at their times, whether earlier ones are answered or not."""
        times = arrivals(self.plan, len(self.plan.prompts) * self.plan.repeats)
        async with asyncio.TaskGroup() as requests:
            for at_s, order in zip(times, orders, strict=False):
                intended_ns = int(at_s * NS)
                await asyncio.sleep((began_ns + intended_ns - monotonic_ns()) / NS)
                if self.stopped:
                    return
                requests.create_task(self._one(order, Clock(began_ns, intended_ns)))

    async def _one(self, order: Order, clock: Clock) -> None:
        self._in_flight += 1
        try:
            record = await self._send(self.plan, order, clock)
        finally:
            self._in_flight -= 1
        self._records.append(record)
        if self.plan.rate is not None:
            self._look(record)

    def _look(self, record: RequestRecord) -> None:
        at_s, first_s = (record.send_ns + record.end_ns) / NS, ttft(record)
        if first_s is not None:
            self._answered.append(Answered(at_s, self._in_flight + 1, first_s))
        if at_s - self._looked_s >= _LOOK_S:
            self._looked_s = at_s
            if over_saturated(self._answered):
                self.stopped = f"the endpoint is over-saturated at {self.plan.rate:g} requests per second"
