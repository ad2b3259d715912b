"""Ollama's routes: what is sent for a chat or an embedding, and how the answers read (contract meter §2, §6, §21)."""

from __future__ import annotations

from collections.abc import Sequence

from puna.client.errors import ClientError
from puna.client.ndjson import LineSplitter
from puna.meter.plan import Settings
from puna.meter.reading import Heard, Json, WholeReader, inner, loaded_object, number, reported_error
from puna.meter.records import ServerTimings

CHAT = "/api/chat"
EMBED = "/api/embed"


def chat_body(model: str, text: str, settings: Settings) -> Json:
    body: Json = {"model": model, "messages": [{"role": "user", "content": text}], "stream": True}
    if options := settings.options():
        body["options"] = options
    if settings.think is not None:
        body["think"] = settings.think
    return body


def embed_body(model: str, texts: Sequence[str], settings: Settings) -> Json:
    """One text goes as a string, as the reference sends it."""
    body: Json = {"model": model, "input": texts[0] if len(texts) == 1 else list(texts)}
    if settings.num_ctx is not None:
        body["options"] = {"num_ctx": settings.num_ctx}
    return body


class ChatReader:
    """The lines of `/api/chat`. Blank ones and what is not JSON are skipped; what follows `done` is not looked at."""

    def __init__(self) -> None:
        self.heard = Heard()
        self._lines = LineSplitter()

    def feed(self, at_ns: int, data: bytes) -> None:
        for line in self._lines.feed(data):
            self._line(at_ns, line)

    def finish(self, at_ns: int) -> None:
        for line in self._lines.finish():
            self._line(at_ns, line)

    def _line(self, at_ns: int, line: bytes) -> None:
        heard = self.heard
        if heard.complete or (value := loaded_object(line)) is None:
            return
        if error := reported_error(value):
            raise ClientError(error)
        heard.chunk(at_ns)
        message = inner(value, "message")
        heard.part(at_ns, "thinking", message.get("thinking"))
        heard.part(at_ns, "answer", message.get("content"))
        if calls := message.get("tool_calls"):
            heard.part(at_ns, "tool", str(calls))
        if value.get("done") is True:
            heard.complete = True
            heard.done_reason = str(value.get("done_reason", ""))
            heard.server = timings(value)
            if heard.server.output_tokens is None:
                heard.basis = "estimated"


class EmbedReader(WholeReader):
    """The one object of `/api/embed`."""

    def understand(self, value: Json) -> None:
        self.heard.server = timings(value)
        self.heard.vector_length = vector_length(value.get("embeddings"))


def vector_length(vectors: object) -> int | None:
    """Of the first of some vectors; None when there is none."""
    first = vectors[0] if isinstance(vectors, list) and vectors else None
    return len(first) if isinstance(first, list) and first else None


def timings(value: Json) -> ServerTimings:
    """The counts and nanoseconds of a last line; `prompt_eval_cached_count` is Puna's."""
    return ServerTimings(
        total_ns=number(value, "total_duration"),
        load_ns=number(value, "load_duration"),
        prompt_tokens=number(value, "prompt_eval_count"),
        cached_tokens=number(value, "prompt_eval_cached_count"),
        prompt_ns=number(value, "prompt_eval_duration"),
        output_tokens=number(value, "eval_count"),
        output_ns=number(value, "eval_duration"),
    )
