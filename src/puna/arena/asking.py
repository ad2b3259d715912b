"""One question to many instances at once (contract arena §1.7): a task for each, and their events as they come.

Instances of one model run side by side, so that the upstream can answer them as one batch. Whatever happens to one of
them ends that one only. Leaving early ends all of them and closes their connections (K1).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic_ns
from typing import Any

from puna.arena.conversation import Message
from puna.arena.failures import UNEXPECTED, reason, silent
from puna.arena.instances import Instance
from puna.arena.metrics import Metrics, Stopwatch
from puna.arena.request import ChatRequest
from puna.arena.upstreams import Upstreams
from puna.client import ClientError
from puna.client.client import JsonLines
from puna.serving.bugs import log_bug

QUEUED = 1000  # events that wait for a slow reader before the upstreams have to wait, too (S8)
HEARTBEAT_S = 15.0
CUT_OFF = "The upstream ended its answer in the middle"


@dataclass(frozen=True, slots=True)
class Token:
    instance_id: str
    text: str  # never empty


@dataclass(frozen=True, slots=True)
class Done:
    instance_id: str
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Failed:
    instance_id: str
    reason: str
    missing: bool = False  # the upstream does not have the model


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing happened for so long that a proxy might think the connection dead (S6)."""


Event = Token | Done | Failed | Silence
_Events = asyncio.Queue[Token | Done | Failed]


class Asker:
    """At most `parallel` answers are on their way at once, all requests together; more wait in the order asked (C7).

    `idle_s` is the longest silence of an upstream, loading included (C6); waiting for a place does not count.
    """

    def __init__(self, upstreams: Upstreams, *, parallel: int, idle_s: float, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._upstreams = upstreams
        self._places = asyncio.Semaphore(parallel)
        self._idle_s = idle_s
        self._heartbeat_s = heartbeat_s

    async def ask(self, chat: ChatRequest) -> AsyncGenerator[Event]:
        """`Token`s, and for each instance one `Done` or `Failed`, its last event (S4). Leave it through `aclosing`."""
        events: _Events = asyncio.Queue(QUEUED)
        tasks = [asyncio.create_task(self._answer(instance, chat.messages, events)) for instance in chat.instances]
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

    async def _next(self, events: _Events) -> Event:
        if not events.empty():
            return events.get_nowait()
        try:
            async with asyncio.timeout(self._heartbeat_s):
                return await events.get()
        except TimeoutError:
            return Silence()

    async def _answer(self, instance: Instance, messages: Iterable[Message], events: _Events) -> None:
        body = _body(instance, messages)
        last: Done | Failed
        try:
            async with self._places, aclosing(self._upstreams.client(instance.endpoint).chat(body)) as lines:
                last = await self._relay(instance.id, lines, events)
        except ClientError as error:
            last = Failed(instance.id, reason(error), missing=error.answered == 404)
        except TimeoutError:
            last = Failed(instance.id, silent(self._idle_s))
        except Exception as error:  # a bug of ours: its column says so, the others go on
            log_bug(error)
            last = Failed(instance.id, UNEXPECTED)
        await events.put(last)

    async def _relay(self, instance_id: str, lines: JsonLines, events: _Events) -> Done | Failed:
        watch = Stopwatch(monotonic_ns())
        while True:
            async with asyncio.timeout(self._idle_s):
                line = await anext(lines, None)
            if line is None:
                return Failed(instance_id, CUT_OFF)
            text, thinking = _said(line)
            if text or thinking:
                watch.heard(monotonic_ns())
            if text:
                await events.put(Token(instance_id, text))
            if line.get("done") is True:
                return Done(instance_id, watch.metrics(line, monotonic_ns()))


def _body(instance: Instance, messages: Iterable[Message]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": instance.model,
        "messages": [message.wire() for message in messages],
        "stream": True,  # closing the stream is how the upstream learns that nobody listens any more
    }
    return body if instance.sampling is None else body | {"options": instance.sampling.options()}


def _said(line: dict[str, Any]) -> tuple[str, str]:
    """The answer's text, and its thinking, which is no part of it (Q6)."""
    message = line.get("message")
    if not isinstance(message, dict):
        return "", ""
    text, thinking = message.get("content"), message.get("thinking")
    return text if isinstance(text, str) else "", thinking if isinstance(thinking, str) else ""
