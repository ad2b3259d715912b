"""The engine's stream events as `Chunk`s: one decoder per route, `feed(payloads) -> chunks`. No I/O inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from puna.engine.failures import refusal
from puna.engine.types import Chunk, Final, Logprob
from puna.errors import EngineError
from puna.prompts.messages import ToolCall

_DONE = b"[DONE]"
_NO_CHANCE = -9999.0  # JSON has no -inf; the engine writes null


class Decoder(Protocol):
    finished: bool  # the last event has been seen: the stream was not cut

    def feed(self, payloads: Sequence[bytes]) -> list[Chunk]: ...


class CompletionDecoder:
    """Events of `/completion`."""

    def __init__(self, n_probs: int) -> None:
        self.finished = False
        self._n_probs = n_probs

    def feed(self, payloads: Sequence[bytes]) -> list[Chunk]:
        """Raises `EngineError` for an error event."""
        return [self._chunk(_event(payload)) for payload in payloads if payload != _DONE]

    def _chunk(self, event: Mapping[str, Any]) -> Chunk:
        final = None
        if event["stop"]:
            self.finished = True
            reason = "length" if event["stop_type"] == "limit" else "stop"
            final = _final(event["timings"], reason, event.get("stopping_word") or "")
        logprobs = event.get("completion_probabilities") or ()
        return Chunk(
            text=event["content"],
            tokens=tuple(event["tokens"]),
            logprobs=_logprobs(logprobs, self._n_probs),
            final=final,
        )


class ChatDecoder:
    """Events of `/v1/chat/completions`. Tool calls arrive in pieces and leave whole, on the last chunk (§4.9).

    Text that the engine held back, for it might have become a stop text, comes in an event of its own before the last
    one. That event has `timings` too, and what the engine says of itself (`__verbose`) is on it: only a `finish_reason`
    marks the end.
    """

    def __init__(self, n_probs: int) -> None:
        self.finished = False
        self._n_probs = n_probs
        self._calls: dict[int, _Call] = {}
        self._stop_text = ""

    def feed(self, payloads: Sequence[bytes]) -> list[Chunk]:
        """Raises `EngineError` for an error event."""
        chunks = [self._chunk(_event(payload)) for payload in payloads if payload != _DONE]
        return [chunk for chunk in chunks if chunk is not None]

    def _chunk(self, event: Mapping[str, Any]) -> Chunk | None:
        choice = event["choices"][0] if event.get("choices") else {}
        delta = choice.get("delta") or {}
        for piece in delta.get("tool_calls") or ():
            self._calls.setdefault(piece.get("index", 0), _Call()).add(piece)
        text = delta.get("content") or ""
        thinking = delta.get("reasoning_content") or ""
        logprobs = _logprobs((choice.get("logprobs") or {}).get("content") or (), self._n_probs)
        self._stop_text = (event.get("__verbose") or {}).get("stopping_word") or self._stop_text
        if choice.get("finish_reason") is None:
            return Chunk(text, thinking, logprobs=logprobs) if text or thinking or logprobs else None
        self.finished = True
        calls = [self._calls[index].whole(index) for index in sorted(self._calls)]
        return Chunk(
            text + "".join(call for call in calls if isinstance(call, str)),
            thinking,
            tool_calls=tuple(call for call in calls if isinstance(call, ToolCall)),
            logprobs=logprobs,
            final=_final(event["timings"], choice["finish_reason"], self._stop_text),
        )


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""

    def add(self, piece: Mapping[str, Any]) -> None:
        function = piece.get("function") or {}
        self.id += piece.get("id") or ""
        self.name += function.get("name") or ""
        self.arguments += function.get("arguments") or ""

    def whole(self, index: int) -> ToolCall | str:
        """The call, or its text where the model did not write an object (§4.9 "Malformed call text")."""
        try:
            arguments = orjson.loads(self.arguments or b"{}")
        except orjson.JSONDecodeError:
            arguments = None
        return ToolCall(self.id, self.name, arguments, index) if isinstance(arguments, dict) else self.arguments


def _event(payload: bytes) -> Mapping[str, Any]:
    try:
        event = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise EngineError("the engine sent an event that is not JSON") from error
    if not isinstance(event, dict):
        raise EngineError("the engine sent an event that is not an object")
    if "error" in event:
        raise refusal(event)
    return event


def _final(timings: Mapping[str, Any], reason: str, stop_text: str = "") -> Final:
    return Final(
        reason="length" if reason == "length" else "stop",
        prompt_tokens=timings["prompt_n"] + timings["cache_n"],
        cached_tokens=timings["cache_n"],
        prompt_ns=int(timings["prompt_ms"] * 1e6),
        output_tokens=timings["predicted_n"],
        output_ns=int(timings["predicted_ms"] * 1e6),
        stop_text=stop_text,
    )


def _logprobs(entries: Sequence[Mapping[str, Any]], n_probs: int) -> tuple[Logprob, ...]:
    return tuple(
        _logprob(entry, tuple(_logprob(other) for other in (entry.get("top_logprobs") or ())[: max(n_probs, 0)]))
        for entry in entries
    )


def _logprob(entry: Mapping[str, Any], top: tuple[Logprob, ...] = ()) -> Logprob:
    logprob = entry["logprob"]
    return Logprob(entry["token"], _NO_CHANCE if logprob is None else logprob, bytes(entry["bytes"]), top)
