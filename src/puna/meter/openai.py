"""OpenAI's routes under `/v1`, as vLLM, llama-server and others speak them (contract meter §21, §24 row 17).

They tell counts (`usage`) but no durations: rates come from this client's clock. A server that counts nothing has its
chunks counted instead, which is an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from puna.client.errors import ClientError
from puna.client.ndjson import LineSplitter
from puna.meter.native import vector_length
from puna.meter.plan import Settings
from puna.meter.reading import Heard, Json, WholeReader, inner, loaded_object, number, reported_error
from puna.meter.records import ServerTimings
from puna.units import NS

CHAT = "/v1/chat/completions"
EMBED = "/v1/embeddings"

_MAX_MS = 1e12  # 30 years; what is beyond is no duration


def chat_body(model: str, text: str, settings: Settings) -> Json:
    """Only what was pinned; `num_ctx` has no counterpart there."""
    pinned: Mapping[str, Any] = {
        "max_tokens": settings.num_predict,
        "seed": settings.seed,
        "temperature": settings.temperature,
        "reasoning_effort": _effort(settings.think),
    }
    return {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "stream": True,
        "stream_options": {"include_usage": True},
        **{name: value for name, value in pinned.items() if value is not None},
    }


def embed_body(model: str, texts: Sequence[str], settings: Settings) -> Json:
    return {"model": model, "input": texts[0] if len(texts) == 1 else list(texts)}


class ChatReader:
    """The events of `/v1/chat/completions`. They are complete with `[DONE]`, or with a `finish_reason`."""

    def __init__(self) -> None:
        self.heard = Heard(basis="estimated")
        self._lines = LineSplitter()
        self._finished = False  # the answer is, its usage may follow

    def feed(self, at_ns: int, data: bytes) -> None:
        for line in self._lines.feed(data):
            self._line(at_ns, line)

    def finish(self, at_ns: int) -> None:
        for line in self._lines.finish():
            self._line(at_ns, line)
        self.heard.complete |= self._finished

    def _line(self, at_ns: int, line: bytes) -> None:
        field, colon, data = line.partition(b":")
        if field.strip() != b"data" or not colon or self.heard.complete:
            # A refusal that comes with status 200 is a bare object, not an event.
            if (value := loaded_object(line)) is not None and (error := reported_error(value)):
                raise ClientError(error)
            return
        data = data.strip()
        if data == b"[DONE]":
            self.heard.complete = True
        elif (value := loaded_object(data)) is not None:
            self._event(at_ns, value)

    def _event(self, at_ns: int, value: Json) -> None:
        if error := reported_error(value):
            raise ClientError(error)
        heard = self.heard
        choices = value.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, dict):
            heard.chunk(at_ns)
            delta = inner(choice, "delta")
            heard.part(at_ns, "thinking", delta.get("reasoning_content") or delta.get("reasoning"))
            heard.part(at_ns, "answer", delta.get("content"))
            if calls := delta.get("tool_calls"):
                heard.part(at_ns, "tool", str(calls))
            if reason := choice.get("finish_reason"):
                heard.done_reason, self._finished = str(reason), True
        if value.get("usage") or value.get("timings"):
            heard.server = _counts(value)
            heard.basis = "estimated" if heard.server.output_tokens is None else "server"


class EmbedReader(WholeReader):
    """The one object of `/v1/embeddings`."""

    def understand(self, value: Json) -> None:
        data = value.get("data")
        vectors = [item.get("embedding") for item in data if isinstance(item, dict)] if isinstance(data, list) else []
        self.heard.vector_length = vector_length(vectors)
        self.heard.server = _counts(value)


def _effort(think: bool | str | None) -> str | None:
    if isinstance(think, bool):
        return "medium" if think else "none"
    return think


def _counts(value: Json) -> ServerTimings:
    """`usage`, and the durations that llama-server adds as `timings` (milliseconds)."""
    usage, times = inner(value, "usage"), inner(value, "timings")
    cached = number(inner(usage, "prompt_tokens_details"), "cached_tokens")
    return ServerTimings(
        prompt_tokens=number(usage, "prompt_tokens"),
        cached_tokens=number(times, "cache_n") if cached is None else cached,
        prompt_ns=_ms(times.get("prompt_ms")),
        output_tokens=number(usage, "completion_tokens"),
        output_ns=_ms(times.get("predicted_ms")),
        drafted_tokens=number(times, "draft_n"),
        accepted_tokens=number(times, "draft_n_accepted"),
    )


def _ms(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MAX_MS:
        return None
    return int(value * NS / 1000)
