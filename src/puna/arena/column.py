"""One instance's answer on its way: its phases, its text, its times (contract arena §1.7, §2.1, §2.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from time import monotonic_ns
from typing import Any

from puna.arena.conversation import with_system
from puna.arena.events import Done, Failed, Phase, Said, Status, Thinking, Token
from puna.arena.metrics import Stopwatch
from puna.arena.request import Question
from puna.arena.residents import EACH_S, Residents
from puna.arena.running import Work
from puna.arena.timings import timings
from puna.client import OllamaClient
from puna.client.client import JsonLines

CUT_OFF = "The upstream ended its answer in the middle"


class Column:
    """Puts what is heard into `events`. `idle_s` is the longest silence of the upstream."""

    def __init__(
        self, question: Question, work: Work, residents: Residents, events: asyncio.Queue[Said], idle_s: float
    ) -> None:
        self._question = question
        self._id = question.instance.id
        self._work = work
        self._residents = residents
        self._events = events
        self._idle_s = idle_s
        self._asked_ns = monotonic_ns()
        self._watch: Stopwatch | None = None  # from when the upstream is asked

    async def enter(self, phase: Phase) -> None:
        self._work.state = phase
        await self._events.put(Status(self._id, phase))

    async def warm_up(self, client: OllamaClient) -> None:
        """Load the model as the question needs it. Raises `ClientError` and `TimeoutError`."""
        await self.enter("loading")
        request = _body(self._question) | {"prompt": ""}
        del request["messages"]
        async with aclosing(client.generate(request)) as lines:
            while await self._heard(lines) is not None:
                pass

    async def answer(self, client: OllamaClient) -> Done | Failed:
        """Ask, and say what comes. Raises `ClientError`, and `TimeoutError` for an upstream that fell silent."""
        watch = self._watch = Stopwatch(monotonic_ns())
        waiting = asyncio.create_task(self._say_what_is_waited_for())
        try:
            async with aclosing(client.chat(_body(self._question))) as lines:
                while (line := await self._heard(lines)) is not None:
                    waiting.cancel()
                    await self._say(line, watch)
                    if line.get("done") is True:
                        ended_ns = monotonic_ns()
                        await self._residents.meet(self._work.endpoint, self._work.instance.model)
                        return self._done(line, watch, ended_ns)
            return Failed(self._id, CUT_OFF)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def stopped(self) -> Done:
        """The end of an answer that the person stopped, wherever it was."""
        return self._done({}, self._watch or Stopwatch(monotonic_ns()), monotonic_ns())

    async def _say_what_is_waited_for(self) -> None:
        """The upstream says nothing before its first token: whether it has the model must be asked beside."""
        while await self._residents.has(self._work.endpoint, self._work.instance.model) is False:
            if self._work.state != "loading":
                await self.enter("loading")
            await asyncio.sleep(EACH_S)
        await self.enter("prompt")

    async def _heard(self, lines: JsonLines) -> dict[str, Any] | None:
        async with asyncio.timeout(self._idle_s):
            return await anext(lines, None)

    async def _say(self, line: Mapping[str, Any], watch: Stopwatch) -> None:
        text, thinking = _said(line)
        if not (text or thinking):
            return
        watch.heard(monotonic_ns(), answer=bool(text))
        self._work.tokens += 1
        phase: Phase = "generating" if text else "thinking"
        if self._work.state != phase:
            await self.enter(phase)
        if thinking:
            await self._events.put(Thinking(self._id, thinking))
        if text:
            await self._events.put(Token(self._id, text))

    def _done(self, line: Mapping[str, Any], watch: Stopwatch, now: int) -> Done:
        work, instance = self._work, self._question.instance
        n_ctx = instance.extras.num_ctx or self._residents.n_ctx(work.endpoint, instance.model)
        metrics = watch.metrics(line, now)
        times = timings(
            line, watch, metrics, asked_ns=self._asked_ns, now_ns=now, n_ctx=n_ctx,
            contended=work.contended, stopped=work.stopped,
        )  # fmt: skip
        return Done(self._id, metrics, times)


def _body(question: Question) -> dict[str, Any]:
    instance = question.instance
    messages = with_system(question.messages, instance.extras.system)
    body: dict[str, Any] = {
        "model": instance.model,
        "messages": [message.wire() for message in messages],
        "stream": True,  # closing the stream is how the upstream learns that nobody listens any more
        **instance.extras.top_level(),
    }
    options = (instance.sampling.options() if instance.sampling else {}) | instance.extras.options()
    return body | {"options": options} if options else body


def _said(line: Mapping[str, Any]) -> tuple[str, str]:
    """The answer's text, and its thinking, which is no part of it (Q6)."""
    message = line.get("message")
    if not isinstance(message, dict):
        return "", ""
    text, thinking = message.get("content"), message.get("thinking")
    return text if isinstance(text, str) else "", thinking if isinstance(thinking, str) else ""
