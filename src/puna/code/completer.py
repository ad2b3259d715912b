"""`Completer`: from a question about a cursor to the text that belongs there (contract code-completion Part 1 and 4).

    async with OllamaClient(endpoint) as client, Completer(client, config) as completer:
        async with aclosing(completer.complete(request)) as pieces:
            async for piece in pieces: ...

model → parts → what is on the screen already → a run, shared with who asks the same → a place in the lane → one
upstream request → endings → pieces. Source text is never logged. Belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Hashable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Self

from puna.client import ClientError, OllamaClient
from puna.code.counters import Counters
from puna.code.emulation import Answer
from puna.code.endings import Endings, Stops
from puna.code.failures import DeadlinePassed, Overloaded, StillLoading
from puna.code.job import Job, prepare
from puna.code.lane import Lane
from puna.code.runs import Listener, Run
from puna.code.served import Catalogue, Served
from puna.code.sessions import Question, Sessions, Shown
from puna.code.tally import Tally
from puna.code.types import CodeConfig, CompletionRequest, Explanation, Outcome, Piece
from puna.code.upstream import Upstream, translated

Json = dict[str, Any]


class Completer:
    """An async context manager over a client that its owner opened. Its methods raise the errors of `code.failures`."""

    def __init__(self, client: OllamaClient, config: CodeConfig) -> None:
        self.config = config
        self._client = client
        self._upstream = Upstream(client)
        self._catalogue = Catalogue(client, self._upstream, config)
        self._lane = Lane(config.parallel, config.queue, config.queue_s)
        self._sessions = Sessions()
        self._runs: dict[Hashable, Run] = {}  # by what is asked, so that the same question may join
        self._loads = 0
        self._counters = Counters()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """End every run; who listens gets an error."""
        await asyncio.gather(*(run.abort() for run in self._runs.values()))
        await self._catalogue.close()

    @property
    def counters(self) -> Counters:
        """The numbers of this moment."""
        self._counters.running, self._counters.waiting = self._lane.running, self._lane.waiting
        return self._counters

    @property
    def loading(self) -> bool:
        """Whether a `load` is under way: completions would have to wait for it."""
        return self._loads > 0

    async def models(self) -> list[Json]:
        """What the upstream's `/api/tags` lists, newest first; may be some seconds old."""
        return await self._catalogue.models()

    async def ps(self) -> list[Json]:
        """The models that the upstream holds in memory."""
        try:
            return await self._client.ps()
        except ClientError as error:
            raise translated(error) from error

    async def served(self, name: str = "") -> Served:
        """The upstream model behind a client's name; "", "default" and unknown names mean the one that is served.

        Raises `UnknownModel` for unknown names when `config.strict_models`. The first call for a model probes it.
        """
        return await self._catalogue.served(name)

    async def load(self, name: str = "", keep_alive: Any = None) -> Outcome:
        """Bring a model into memory and wait for it."""
        served = await self.served(name)
        body: Json = {"model": served.name} | ({} if keep_alive is None else {"keep_alive": keep_alive})
        began = time.monotonic_ns()
        self._loads += 1
        try:
            async with aclosing(self._client.generate(body)) as lines:
                async for _ in lines:
                    pass
        except ClientError as error:
            raise translated(error) from error
        finally:
            self._loads -= 1
        return Outcome("load", load_ns=time.monotonic_ns() - began)

    async def unload(self, name: str = "") -> Outcome:
        """Ask the upstream to let a model's memory go."""
        served = await self.served(name)
        try:
            await self._client.unload(served.name)
        except ClientError as error:
            raise translated(error) from error
        return Outcome("unload")

    async def chat(self, request: Mapping[str, Any]) -> AsyncGenerator[Json]:
        """The lines of the upstream's `/api/chat`, streamed whatever `request` says. Completions go first (X5)."""
        served = await self.served(str(request.get("model") or ""))
        async with self._lane.patient_slot():
            try:
                async with aclosing(self._client.chat({**request, "model": served.name, "stream": True})) as lines:
                    async for line in lines:
                        yield line
            except ClientError as error:
                raise translated(error) from error

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Piece]:
        """The decided text in pieces, the last one with the `Outcome`. Leaving it through `aclosing` cancels the work.

        The pieces joined are the same however they were cut. A warm-up (mode "warm", or no tokens wanted) has no text.
        """
        try:
            async with aclosing(self._answer(request)) as pieces:
                async for piece in pieces:
                    yield piece
        except Overloaded:
            self._counters.refused += 1
            if self.loading:
                raise StillLoading from None
            raise
        except Exception:
            self._counters.failed += 1
            raise

    async def _answer(self, request: CompletionRequest) -> AsyncGenerator[Piece]:
        job = prepare(request, await self._served_in_time(request.model), self.config, self._upstream.bytes_for)
        question, key = job.question, job.session
        if found := self._sessions.typed_through(key, question):
            rest, shown = found
            self._counters.completions += 1
            self._counters.typed_through += 1
            yield Piece(rest, _without_work(shown.outcome, job.explanation))
            return
        texts: list[str] = []
        listener = self._listen(job, question, key)
        try:
            async with aclosing(listener.pieces()) as pieces:
                async for piece in pieces:
                    texts.append(piece.text)
                    if piece.outcome is not None:
                        self._ended(key, question, "".join(texts), piece.outcome)
                    yield piece
        finally:
            self._sessions.waits_no_more(key, listener)
            self._counters.cancelled += listener.broke_off and not listener.superseded

    async def _served_in_time(self, name: str) -> Served:
        """A model that takes long to look at is looked at further, for the next who asks."""
        try:
            async with asyncio.timeout(self.config.deadline_s):
                return await self.served(name)
        except TimeoutError:
            raise DeadlinePassed(self.config.deadline_s) from None

    def _listen(self, job: Job, question: Question, key: Hashable) -> Listener:
        """An ear at the run that answers `job`: a new one, or one that has the same question and no dice (X4)."""
        place = (question.prefix, question.suffix)
        if self.config.supersede and job.may_supersede:
            self._sessions.supersede(key, place)
        identity = job.identity if question.greedy else object()
        run = self._runs.get(identity)
        if run is None or run.done:
            run = self._start(job)
            self._runs = {other: one for other, one in self._runs.items() if not one.done} | {identity: run}
        else:
            self._counters.merged += 1
        listener = Listener(run, place)
        self._sessions.waits(key, listener)
        return listener

    def _start(self, job: Job) -> Run:
        tally = Tally(job.explanation, truncated=job.truncated)
        return Run(lambda: self._produce(job, tally), lambda: tally.outcome("cancel"), self.config.deadline_s)

    async def _produce(self, job: Job, tally: Tally) -> AsyncGenerator[Piece]:
        """Ask the upstream, and hang up as soon as the completion is complete."""
        config, request, warm = self.config, job.request, job.warms_up
        endings = Endings(job.cursor, Stops(job.way.stops, request.stop), config.rules_off, trim=config.trim)
        answer = Answer(job.cursor.typed) if job.way.emulated else None
        async with self._lane.slot(), aclosing(self._upstream.speak(job.way.ask)) as lines:
            tally.begin()
            async for line in lines:
                tally.add(line)
                if text := "" if warm else endings.feed(answer.feed(line.text) if answer else line.text):
                    yield Piece(text)
                late = request.predict_ms and tally.output_ms > request.predict_ms and endings.lines
                if endings.done or late:
                    break
        if answer and not warm and (text := endings.feed(answer.finish())):
            yield Piece(text)
        if not tally.input_tokens:
            tally.input_tokens = await self._upstream.count(job.served.name, job.way.ask.prompt)
        rest = "" if warm else endings.finish()
        outcome = tally.outcome(trims=endings.trims, by_client=endings.by_client, warm=warm)
        self._counters.add(outcome)
        yield Piece(rest, outcome)

    def _ended(self, key: Hashable, question: Question, text: str, outcome: Outcome) -> None:
        self._counters.completions += 1
        if outcome.reason == "cancel":
            self._counters.superseded += 1
        elif text:
            self._sessions.remember(key, Shown.at(question, text, outcome))


def _without_work(outcome: Outcome, explanation: Explanation) -> Outcome:
    """How a slice of a shown suggestion ended: as the suggestion did, but nothing was evaluated or sampled for it."""
    trims = outcome.explanation.trims
    return Outcome(
        outcome.reason,
        outcome.stop_type,
        outcome.input_tokens,
        cached_tokens=outcome.input_tokens,
        truncated=outcome.truncated,
        explanation=replace(explanation, trims=trims),
    )
