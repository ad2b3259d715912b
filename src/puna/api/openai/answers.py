"""Whole answers in OpenAI's shapes and key order (contract ollama-http §6.2, §6.3). Pure functions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from puna.engine import Chunk, Final, Logprob
from puna.prompts.messages import ToolCall

Wire = dict[str, Any]

_FINGERPRINT = "fp_ollama"  # what clients of the reference see


def head(prefix: str, kind: str, model: str) -> Wire:
    """What every object of one answer begins with.

    The id is a number as in the reference, whose 999 ids are too few for clients that keep messages by them.
    """
    return {
        "id": f"{prefix}-{secrets.randbelow(10**15)}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": _FINGERPRINT,
    }


def chat_answer(model: str, choices: Sequence[Chunk], dropped: int) -> Wire:
    """`choices` hold whole answers; `dropped` counts the prompt tokens that were left out."""
    return {
        **head("chatcmpl", "chat.completion", model),
        "choices": [_chat_choice(index, chunk) for index, chunk in enumerate(choices)],
        "usage": usage([chunk.final for chunk in choices], len(choices), dropped),
    }


def rendered_answer(model: str, rendered: str, image_count: int) -> Wire:
    debug: Wire = {"rendered_template": rendered}
    if image_count:
        debug["image_count"] = image_count
    choice = {"index": 0, "message": {"role": "", "content": ""}, "finish_reason": None}
    shaped = {**head("chatcmpl", "chat.completion", model), "choices": [choice]}
    return {**shaped, "usage": NO_USAGE, "_debug_info": debug}


def text_answer(model: str, choices: Sequence[Chunk], before: Sequence[str], per_prompt: int, dropped: int) -> Wire:
    """`before` is what stands in front of each choice's text: the prompt for `echo`, or nothing."""
    return {
        **head("cmpl", "text_completion", model),
        "choices": [
            text_choice(index, before[index] + chunk.text, _reason(chunk.final), text_logprobs(chunk.logprobs, 0))
            for index, chunk in enumerate(choices)
        ],
        "usage": usage([chunk.final for chunk in choices], per_prompt, dropped),
    }


def loaded_answer(model: str) -> Wire:
    """The answer to an empty prompt, which only loads the model."""
    return {**head("cmpl", "text_completion", model), "choices": [text_choice(0, "", "load")], "usage": NO_USAGE}


def text_choice(index: int, text: str, reason: str | None, logprobs: Wire | None = None) -> Wire:
    value: Wire = {"text": text, "index": index, "finish_reason": reason}
    return value if logprobs is None else {**value, "logprobs": logprobs}


NO_USAGE: Wire = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def usage(finals: Sequence[Final | None], per_prompt: int, dropped: int) -> Wire:
    """Tokens of one request. The choices of one prompt, `per_prompt` in a row, share it: it counts once."""
    known = [final for final in finals if final is not None]
    prompts = known[::per_prompt]
    prompt = sum(final.prompt_tokens for final in prompts)
    output = sum(final.output_tokens for final in known)
    value: Wire = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    value["prompt_tokens_details"] = {"cached_tokens": sum(final.cached_tokens for final in prompts)}
    if dropped:
        value["puna_dropped_tokens"] = dropped
    return value


def finish_reason(final: Final | None, called: bool) -> str | None:
    """`length` is never relabelled: a call that was cut is told as such."""
    reason = _reason(final)
    return "tool_calls" if called and reason == "stop" else reason


def tool_calls(calls: Iterable[ToolCall]) -> list[Wire]:
    return [
        {
            "id": call.id,
            "index": call.index,
            "type": "function",
            "function": {"name": call.name, "arguments": orjson.dumps(call.arguments).decode()},
        }
        for call in calls
    ]


def chat_logprobs(entries: Iterable[Logprob]) -> Wire:
    content = [{**_logprob(entry), "top_logprobs": [_logprob(other) for other in entry.top]} for entry in entries]
    return {"content": content}


def text_logprobs(entries: Sequence[Logprob], offset: int) -> Wire | None:
    """The form of plain completions; `offset` is where the first token's text begins, in characters."""
    if not entries:
        return None
    offsets = []
    for entry in entries:
        offsets.append(offset)
        offset += len(entry.token)
    return {
        "tokens": [entry.token for entry in entries],
        "token_logprobs": [entry.logprob for entry in entries],
        "top_logprobs": [{other.token: other.logprob for other in entry.top} for entry in entries],
        "text_offset": offsets,
    }


def _chat_choice(index: int, chunk: Chunk) -> Wire:
    message: Wire = {"role": "assistant", "content": chunk.text}
    if chunk.thinking:
        message["reasoning"] = chunk.thinking
    if chunk.tool_calls:
        message["tool_calls"] = tool_calls(chunk.tool_calls)
    reason = finish_reason(chunk.final, bool(chunk.tool_calls))
    choice: Wire = {"index": index, "message": message, "finish_reason": reason}
    if chunk.logprobs:
        choice["logprobs"] = chat_logprobs(chunk.logprobs)
    return choice


def _logprob(entry: Logprob) -> Wire:
    return {"token": entry.token, "logprob": entry.logprob, "bytes": list(entry.raw)}


def _reason(final: Final | None) -> str | None:
    return None if final is None else final.reason
