"""Answers of generate and chat in Ollama's shapes and key order (contract ollama-http §3.5, §3.6). Pure functions.

Zero counters and empty optional fields are left out, as Go's `omitempty` does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from puna.engine.types import Chunk, Final, Logprob
from puna.prompts.messages import ToolCall
from puna.units import NS

Wire = dict[str, Any]


def now_rfc3339() -> str:
    """On the hot path: the calendar is asked once per second, it was a tenth of a chunk's cost."""
    seconds, ns = divmod(time.time_ns(), NS)
    fraction = f".{ns:09d}".rstrip("0") if ns else ""
    return f"{_second(seconds)}{fraction}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def generate_chunk(model: str, chunk: Chunk) -> Wire:
    value: Wire = {"model": model, "created_at": now_rfc3339(), "response": chunk.text}
    if chunk.thinking:
        value["thinking"] = chunk.thinking
    value["done"] = False
    if chunk.logprobs:
        value["logprobs"] = logprobs(chunk.logprobs)
    return value


def generate_final(model: str, chunk: Chunk, counters: Mapping[str, int], context: list[int] | None) -> Wire:
    value: Wire = {"model": model, "created_at": now_rfc3339(), "response": chunk.text}
    if chunk.thinking:
        value["thinking"] = chunk.thinking
    value["done"] = True
    if chunk.final is not None:
        value["done_reason"] = chunk.final.reason
    if context:
        value["context"] = context
    value.update(counters)
    if chunk.tool_calls:
        value["tool_calls"] = tool_calls(chunk.tool_calls)
    if chunk.logprobs:
        value["logprobs"] = logprobs(chunk.logprobs)
    return value


def chat_message(chunk: Chunk) -> Wire:
    message: Wire = {"role": "assistant", "content": chunk.text}
    if chunk.thinking:
        message["thinking"] = chunk.thinking
    if chunk.tool_calls:
        message["tool_calls"] = tool_calls(chunk.tool_calls)
    return message


def chat_chunk(model: str, chunk: Chunk) -> Wire:
    value: Wire = {"model": model, "created_at": now_rfc3339(), "message": chat_message(chunk), "done": False}
    if chunk.logprobs:
        value["logprobs"] = logprobs(chunk.logprobs)
    return value


def chat_final(model: str, chunk: Chunk, counters: Mapping[str, int]) -> Wire:
    value: Wire = {"model": model, "created_at": now_rfc3339(), "message": chat_message(chunk), "done": True}
    if chunk.final is not None:
        value["done_reason"] = chunk.final.reason
    if chunk.logprobs:
        value["logprobs"] = logprobs(chunk.logprobs)
    value.update(counters)
    return value


def counters(final: Final | None, *, total_ns: int, load_ns: int) -> dict[str, int]:
    """The counters of a final object, in nanoseconds and tokens (§4.11); zero values are left out.

    `prompt_eval_cached_count` is Puna's own: without it, nobody could tell the prefill rate from the other two.
    """
    values = {
        "total_duration": total_ns,
        "load_duration": load_ns,
        "prompt_eval_count": final.prompt_tokens if final else 0,
        "prompt_eval_duration": final.prompt_ns if final else 0,
        "eval_count": final.output_tokens if final else 0,
        "eval_duration": final.output_ns if final else 0,
        "prompt_eval_cached_count": final.cached_tokens if final else 0,
    }
    return {key: value for key, value in values.items() if value}


def tool_calls(calls: Iterable[ToolCall]) -> list[Wire]:
    return [
        {"id": call.id, "function": {"index": call.index, "name": call.name, "arguments": dict(call.arguments)}}
        for call in calls
    ]


def logprobs(entries: Iterable[Logprob]) -> list[Wire]:
    result = []
    for entry in entries:
        value = _logprob(entry)
        if entry.top:
            value["top_logprobs"] = [_logprob(other) for other in entry.top]
        result.append(value)
    return result


def _logprob(entry: Logprob) -> Wire:
    value: Wire = {"token": entry.token, "logprob": entry.logprob}
    if entry.raw:
        value["bytes"] = list(entry.raw)
    return value
