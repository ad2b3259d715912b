"""A message as this dialect words it, whole or as events (contract ollama-http §7). Pure.

Beyond the reference, as the SDKs expect it: `content` is a list also when nothing was produced, `stop_sequence` is
told, and `input_tokens` leaves out what `cache_read_input_tokens` counts.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from puna.api.errors import anthropic_error
from puna.engine import Chunk, Final
from puna.errors import PunaError
from puna.prompts.messages import ToolCall
from puna.serving.wire import encode

Wire = dict[str, Any]

_BYTES_PER_TOKEN = 4  # the reference's estimate, for what only the end of the answer knows

# The event that a stream consists of: all but its text.
_DELTA = b"""event: content_block_delta
data: {"type":"content_block_delta","index":%d,"delta":{"type":"%s_delta","%s":"""


def message(model: str, chunk: Chunk, stop_sequences: Collection[str], dropped_tokens: int = 0) -> Wire:
    """The whole answer; `chunk` holds all of it. `dropped_tokens` of the prompt did not fit."""
    content: list[Wire] = []
    if chunk.thinking:
        content.append(_block("thinking", chunk.thinking))
    if chunk.text:
        content.append(_block("text", chunk.text))
    content += [_tool_use(call, dict(call.arguments)) for call in chunk.tool_calls]
    end = _end(chunk.final, bool(chunk.tool_calls), stop_sequences)
    return {**_head(model), "content": content, **end, "usage": _usage(chunk.final, dropped_tokens)}


class MessageEvents:
    """The events of one streamed message: `feed` words batch after batch. One content block is open at a time."""

    def __init__(self, model: str, prompt_bytes: int, stop_sequences: Collection[str]) -> None:
        self._model = model
        self._prompt_bytes = prompt_bytes
        self._stop_sequences = stop_sequences
        self._index = -1  # of the block that is open, or was last
        self._open = ""  # its type
        self._before = b""  # what stands before each piece of text in it, encoded once
        self._called = False
        self._dropped_tokens = 0
        self.started = False

    def feed(self, batch: Sequence[Chunk], dropped_tokens: int = 0) -> bytes:
        self._dropped_tokens = dropped_tokens
        events = [] if self.started else [self._start()]
        self.started = True
        for chunk in batch:
            events += self._chunk(chunk)
        return b"".join(events)

    def _start(self) -> bytes:
        estimate = max(self._prompt_bytes // _BYTES_PER_TOKEN, 1)
        end = {"stop_reason": None, "stop_sequence": None}
        usage = {"input_tokens": estimate, "output_tokens": 0}
        return _event("message_start", message={**_head(self._model), "content": [], **end, "usage": usage})

    def _chunk(self, chunk: Chunk) -> list[bytes]:
        events: list[bytes] = []
        if chunk.thinking:
            events += self._say("thinking", chunk.thinking)
        if chunk.text:
            events += self._say("text", chunk.text)
        for call in chunk.tool_calls:
            events += self._call(call)
        if chunk.final is not None:
            events += self._finish(chunk.final)
        return events

    def _say(self, kind: str, text: str) -> list[bytes]:
        events: list[bytes] = []
        if self._open != kind:
            events = [*self._close(), self._start_block(kind, _block(kind, ""))]
            self._before = _DELTA % (self._index, kind.encode(), kind.encode())
        return [*events, self._before + encode(text) + b"}}\n\n"]

    def _call(self, call: ToolCall) -> list[bytes]:
        self._called = True
        return [
            *self._close(),
            self._start_block("tool_use", _tool_use(call, {})),
            self._delta({"type": "input_json_delta", "partial_json": orjson.dumps(call.arguments).decode()}),
            *self._close(),
        ]

    def _finish(self, final: Final) -> list[bytes]:
        delta = _end(final, self._called, self._stop_sequences)
        usage = _usage(final, self._dropped_tokens)
        return [*self._close(), _event("message_delta", delta=delta, usage=usage), _event("message_stop")]

    def _start_block(self, kind: str, block: Wire) -> bytes:
        self._index += 1
        self._open = kind
        return _event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: Wire) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)

    def _close(self) -> list[bytes]:
        if not self._open:
            return []
        self._open = ""
        return [_event("content_block_stop", index=self._index)]


def error_event(error: PunaError) -> bytes:
    """The last event of a stream that failed; the SDKs raise their own exceptions for it."""
    return _event("error", **anthropic_error(error))


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + encode({"type": kind, **fields}) + b"\n\n"


def _head(model: str) -> Wire:
    return {"id": f"msg_{secrets.token_hex(12)}", "type": "message", "role": "assistant", "model": model}


def _block(kind: str, text: str) -> Wire:
    """Thinking is signed by nobody; SDKs that check shapes want the key all the same."""
    signature = {"signature": ""} if kind == "thinking" else {}
    return {"type": kind, kind: text, **signature}


def _tool_use(call: ToolCall, arguments: Wire) -> Wire:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _end(final: Final | None, called: bool, stop_sequences: Collection[str]) -> Wire:
    """Why the answer ended. A stop text of the model's own is the end of its turn, one of the caller's is named."""
    if called:
        return {"stop_reason": "tool_use", "stop_sequence": None}
    if final is not None and final.reason == "length":
        return {"stop_reason": "max_tokens", "stop_sequence": None}
    if final is not None and final.stop_text and final.stop_text in stop_sequences:
        return {"stop_reason": "stop_sequence", "stop_sequence": final.stop_text}
    return {"stop_reason": "end_turn", "stop_sequence": None}


def _usage(final: Final | None, dropped_tokens: int) -> Wire:
    """`puna_dropped_tokens`, Puna's own, is there when the prompt did not fit: it says how much was left out."""
    if final is None:
        return {"input_tokens": 0, "output_tokens": 0}
    dropped = {"puna_dropped_tokens": dropped_tokens} if dropped_tokens else {}
    return {
        "input_tokens": final.prompt_tokens - final.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": final.cached_tokens,
        "output_tokens": final.output_tokens,
        **dropped,
    }
