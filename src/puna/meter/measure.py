"""The measurement of one endpoint's models, from the first warm-up to the last request, told as events.

One round after another; in each round every model answers its prompts once, and the order of the models rotates, so
that a machine that slows down slows all of them (contract meter §20). `parallel` models run side by side (§7). A
request that fails is a record with an error: one bad model does not sink the others.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

from puna.client.timed import TimedClient
from puna.meter.cell import ModelResult
from puna.meter.events import Event, ModelEnded, ModelStarted
from puna.meter.plan import ListedModel, Plan, Target
from puna.meter.subject import Subject


class Measurement:
    """`async for event in measurement.events()` drives it, once. A cancellation stops it, as does leaving the loop
    through `contextlib.aclosing`.

    `results()` has what was measured so far at any moment, also after an interruption (C9). The client must be entered
    already; connections are kept in it.
    """

    def __init__(self, client: TimedClient, target: Target, models: Sequence[ListedModel], plan: Plan) -> None:
        self._plan = plan
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        contended = plan.parallel > 1 and len(models) > 1
        self._subjects = [
            Subject(client, target, model, plan, self._events.put_nowait, contended=contended) for model in models
        ]

    def results(self) -> tuple[ModelResult, ...]:
        """The models that have anything to show, in the order given; unfinished ones with what they have."""
        results = (subject.result() for subject in self._subjects)
        return tuple(result for result in results if result.cells or result.warm_up or result.cold)

    async def events(self) -> AsyncGenerator[Event, None]:
        # A full collection walks everything that was ever imported, 50 ms in which nothing is stamped: set it aside.
        gc.collect()
        gc.freeze()
        work = asyncio.create_task(self._measure())
        work.add_done_callback(lambda _: self._events.put_nowait(None))
        try:
            while (event := await self._events.get()) is not None:
                yield event
            await work
        finally:
            gc.unfreeze()
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    async def _measure(self) -> None:
        rounds = max((subject.rounds for subject in self._subjects), default=0)
        for number in range(rounds):
            turn = number % len(self._subjects)
            await self._round(number, [*self._subjects[turn:], *self._subjects[:turn]], last=number == rounds - 1)

    async def _round(self, number: int, subjects: Sequence[Subject], *, last: bool) -> None:
        places = asyncio.Semaphore(self._plan.parallel)

        async def one(subject: Subject) -> None:
            async with places:
                if number == 0:
                    self._events.put_nowait(ModelStarted(subject.model))
                await subject.round(number)
                if last:
                    self._events.put_nowait(ModelEnded(subject.result()))
                if not (last and subject is subjects[-1]):
                    await asyncio.sleep(self._plan.cool_down_s)

        async with asyncio.TaskGroup() as group:
            for subject in subjects:
                group.create_task(one(subject))
