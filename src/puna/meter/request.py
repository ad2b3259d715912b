"""One request, one record: send, stamp what comes back, try again what may pass, never raise for a bad answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic_ns

from puna.client import ClientError
from puna.client.timed import Exchange, TimedClient
from puna.meter import native, openai
from puna.meter.plan import Settings, Target
from puna.meter.reading import Json, Reader
from puna.meter.records import Kind, RequestRecord
from puna.meter.retrying import Incomplete, retrying

DRAIN_S = 1.0  # how long the end of a stream is waited for after its last line, so that its connection can be kept


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: `prompt` is what the plan calls it, `texts` what is sent (several only for embeddings)."""

    model: str
    kind: Kind
    prompt: str
    texts: tuple[str, ...]
    settings: Settings
    repeated: bool = False  # the same text was sent to this model before
    warm_up: bool = False
    cold: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """When a cell began, and when an open loop means to send this request (ns since then)."""

    began_ns: int
    intended_ns: int | None = None

    @classmethod
    def now(cls) -> Clock:
        return cls(monotonic_ns())


async def send(client: TimedClient, target: Target, ask: Ask, clock: Clock) -> RequestRecord:
    """The record of one request, retries included; whatever goes wrong is its `error` (C5, C8)."""
    started_at = datetime.now(UTC).isoformat()
    attempt = _Attempt(target, ask)
    tries, error = 0, None
    deadline = asyncio.timeout(ask.settings.timeout_s)
    try:
        async with deadline:
            async for again in retrying():
                with again:
                    tries += 1
                    attempt = _Attempt(target, ask)
                    await attempt.run(client)
    except TimeoutError:
        error = f"no complete answer within {ask.settings.timeout_s:g} s"
    except ClientError as failure:
        error = str(failure) or type(failure).__name__
    return attempt.record(ask, target, clock, started_at, tries, error)


class _Attempt:
    """One try. The clock restarts with each, so that failed ones never enter a time."""

    def __init__(self, target: Target, ask: Ask) -> None:
        self._path, self._body, self._reader = _dialect(target, ask)
        self._exchange = Exchange()
        self._end_ns: int | None = None

    async def run(self, client: TimedClient) -> None:
        """Raises `ClientError`, and `Incomplete` for a stream without an end."""
        async with client.post(self._path, self._body, self._exchange) as exchange:
            await self._read(exchange)
        if not self._reader.heard.complete:
            raise Incomplete

    async def _read(self, exchange: Exchange) -> None:
        """To the end of the stream, but not long beyond the end of the answer (C7)."""
        reader, loop = self._reader, asyncio.get_running_loop()
        drain = asyncio.timeout(None)
        try:
            async with drain:
                async for at_ns, data in exchange.pieces():
                    if self._end_ns is None:
                        reader.feed(at_ns, data)
                        if reader.heard.complete:
                            self._end_ns = at_ns
                            drain.reschedule(loop.time() + DRAIN_S)
        except TimeoutError:
            if not drain.expired():
                raise
            return
        reader.finish(exchange.elapsed_ns())
        self._end_ns = exchange.elapsed_ns()  # an embedding's time includes its decoding (§6)

    def record(
        self, ask: Ask, target: Target, clock: Clock, started_at: str, tries: int, error: str | None
    ) -> RequestRecord:
        exchange, heard = self._exchange, self._reader.heard
        return RequestRecord(
            model=ask.model,
            endpoint=target.name,
            kind=ask.kind,
            prompt=ask.prompt,
            started_at=started_at,
            send_ns=exchange.sent_ns - clock.began_ns,
            intended_ns=clock.intended_ns,
            connect_ns=exchange.connect_ns,
            headers_ns=exchange.headers_ns,
            first_chunk_ns=heard.first_chunk_ns,
            stamps=tuple(heard.stamps),
            end_ns=exchange.elapsed_ns() if self._end_ns is None else self._end_ns,
            server=heard.server,
            basis=heard.basis,
            repeated=ask.repeated,
            inputs=len(ask.texts) if ask.kind == "embed" else 1,
            vector_length=heard.vector_length,
            done_reason=heard.done_reason,
            attempts=tries,
            error=error,
            warm_up=ask.warm_up,
            cold=ask.cold,
        )


def _dialect(target: Target, ask: Ask) -> tuple[str, Json, Reader]:
    """Where to send what, and who reads the answer."""
    texts = [text.encode(errors="replace").decode() for text in ask.texts]  # arguments may hold lone surrogates
    speech = native if target.native else openai
    if ask.kind == "embed":
        return speech.EMBED, speech.embed_body(ask.model, texts, ask.settings), speech.EmbedReader()
    return speech.CHAT, speech.chat_body(ask.model, texts[0], ask.settings), speech.ChatReader()
