"""Questions to many instances at once (contract arena §1.7): a task for each, and their events as they come.

Instances of one model run side by side, so that the upstream can answer them as one batch. Whatever happens to one of
them ends that one only. Leaving early ends all of them and closes their connections (K1).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import nullcontext

from puna.arena.column import CUT_OFF, Column
from puna.arena.events import Done, Event, Failed, Phase, Said, Silence, Status, Thinking, Token
from puna.arena.failures import UNEXPECTED, reason, silent
from puna.arena.request import Question
from puna.arena.residents import Residents
from puna.arena.running import Running, Work
from puna.arena.timings import Timings
from puna.arena.upstreams import Upstreams
from puna.client import ClientError
from puna.serving.bugs import log_bug

__all__ = [
    "CUT_OFF",
    "QUEUED",
    "Asker",
    "Done",
    "Event",
    "Failed",
    "Phase",
    "Question",
    "Silence",
    "Status",
    "Thinking",
    "Timings",
    "Token",
]

QUEUED = 1000  # events that wait for a slow reader before the upstreams have to wait, too (S8)
HEARTBEAT_S = 15.0

_Events = asyncio.Queue[Said]


class Asker:
    """At most `parallel` answers are on their way at once, all requests together; more wait in the order asked (C7).

    `idle_s` is the longest silence of an upstream, loading included (C6); waiting for a place does not count.
    """

    def __init__(
        self, upstreams: Upstreams, running: Running, *, parallel: int, idle_s: float, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._upstreams = upstreams
        self._residents = Residents(upstreams)
        self._running = running
        self._places = asyncio.Semaphore(parallel)
        self._idle_s = idle_s
        self._heartbeat_s = heartbeat_s

    async def ask(
        self, questions: Sequence[Question], *, sequential: bool = False, request_id: str = ""
    ) -> AsyncGenerator[Event]:
        """What the instances say, and for each one `Done` or `Failed`, its last event (S4).

        Leave it through `aclosing`. `sequential` asks one after the other, each once its model is loaded, so that their
        speeds can be compared (§2.9). Answers with a `request_id` can be seen and stopped through `Running`; one that
        is stopped is `Done` with what it said so far.
        """
        events: _Events = asyncio.Queue(QUEUED)
        turn = asyncio.Lock() if sequential else None
        tasks = [asyncio.create_task(self._answer(question, request_id, turn, events)) for question in questions]
        try:
            left = len(tasks)
            while left:
                event = await self._next(events)
                left -= isinstance(event, Done | Failed)
                yield event
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        await self._residents.close()

    async def _next(self, events: _Events) -> Event:
        if not events.empty():
            return events.get_nowait()
        try:
            async with asyncio.timeout(self._heartbeat_s):
                return await events.get()
        except TimeoutError:
            return Silence()

    async def _answer(self, question: Question, request_id: str, turn: asyncio.Lock | None, events: _Events) -> None:
        instance = question.instance
        with self._running.joined(request_id, instance, instance.endpoint or self._upstreams.names[0]) as work:
            column = Column(question, work, self._residents, events, self._idle_s)
            last: Done | Failed
            try:
                last = await self._in_turn(column, work, turn)
            except asyncio.CancelledError:
                if not work.stopped:  # the reader has left
                    raise
                last = column.stopped()
            except ClientError as error:
                last = Failed(instance.id, reason(error), missing=error.answered == 404)
            except TimeoutError:
                last = Failed(instance.id, silent(self._idle_s))
            except Exception as error:  # a bug of ours: its column says so, the others go on
                log_bug(error)
                last = Failed(instance.id, UNEXPECTED)
        await events.put(last)

    async def _in_turn(self, column: Column, work: Work, turn: asyncio.Lock | None) -> Done | Failed:
        await column.enter("queued")
        client = self._upstreams.client(work.endpoint)
        async with turn or nullcontext(), self._places:
            with self._running.active(work):
                if turn is not None:
                    await column.warm_up(client)
                return await column.answer(client)
