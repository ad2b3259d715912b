"""Answers and events in OpenAI's two shapes, plain text and chat (contract code-completion §1.8 S3, §1.9). Pure."""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from puna.code.errors import openai_error
from puna.errors import PunaError
from puna.serving.wire import encode

Json = dict[str, Any]

DONE = b"data: [DONE]\n\n"


def event(value: object) -> bytes:
    return b"data: " + encode(value) + b"\n\n"


def error_event(error: PunaError) -> bytes:
    """The last event of a stream that failed: no `[DONE]` follows (S7)."""
    return event(openai_error(error))


def usage(prompt_tokens: int, output_tokens: int, cached_tokens: int = 0) -> Json:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": prompt_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
    }


def finish_reason(reason: str | None) -> str:
    return "length" if reason == "length" else "stop"


class Shape(ABC):
    """One answer: one object, or chunks. All objects of an answer share id and time."""

    prefix: str
    kind: str
    chunk_kind: str

    def __init__(self, model: str) -> None:
        self._id = f"{self.prefix}-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._model = model or "default"

    def whole(self, choices: Iterable[Json], used: Json) -> Json:
        return {**self._head(self.kind), "choices": list(choices), "usage": used}

    @abstractmethod
    def choice(self, index: int, text: str, reason: str | None) -> Json: ...

    @abstractmethod
    def chunks(self, index: int, text: str, reason: str | None, *, first: bool) -> bytes:
        """The events that say `text` and, where it ends, the reason; maybe none."""

    def used(self, used: Json) -> bytes:
        return event({**self._head(self.chunk_kind), "choices": [], "usage": used})

    def _head(self, kind: str) -> Json:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model}

    def _chunk(self, choice: Json) -> bytes:
        return event({**self._head(self.chunk_kind), "choices": [choice]})


class TextShape(Shape):
    prefix, kind, chunk_kind = "cmpl", "text_completion", "text_completion"

    def choice(self, index: int, text: str, reason: str | None) -> Json:
        return {"index": index, "text": text, "finish_reason": reason, "logprobs": None}

    def chunks(self, index: int, text: str, reason: str | None, *, first: bool) -> bytes:
        return self._chunk(self.choice(index, text, reason)) if text or reason else b""


class ChatShape(Shape):
    prefix, kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def choice(self, index: int, text: str, reason: str | None, **more: str) -> Json:
        message = {"role": "assistant", "content": text, **more}
        return {"index": index, "logprobs": None, "finish_reason": reason, "message": message}

    def chunks(self, index: int, text: str, reason: str | None, *, first: bool, **more: str) -> bytes:
        data = b""
        if text or more or first:
            delta = {"role": "assistant"} if first else {}
            data = self._delta(index, {**delta, "content": text, **more}, None)
        return data if reason is None else data + self._delta(index, {}, reason)

    def _delta(self, index: int, delta: Json, reason: str | None) -> bytes:
        return self._chunk({"index": index, "delta": delta, "logprobs": None, "finish_reason": reason})
