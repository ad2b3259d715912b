"""The streams of each dialect: where the server and its runner are asked, with what, and how an answer is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.models import Subject, chat

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """`body` is what the server is asked, `bare_body` what its runner is, made of the body of the server's driver.

    `text` finds the first text of an answer in either side's events; the last match of `count` is its tokens.
    """

    path: str  # of the server's route
    bare_path: str  # of the runner's
    body: Callable[[Subject, str, int], Body]
    bare_body: Callable[[Body, int], Body]
    text: re.Pattern[bytes]
    count: re.Pattern[bytes]


def _openai(subject: Subject, text: str, length: int) -> Body:
    options = {"temperature": 0, "seed": 1, "max_tokens": length}
    return {**_streamed(subject, text), **options, "stream_options": {"include_usage": True}}


def _anthropic(subject: Subject, text: str, length: int) -> Body:
    return {**_streamed(subject, text), "temperature": 0, "max_tokens": length}


def _streamed(subject: Subject, text: str) -> Body:
    return {"model": subject.name, "messages": [{"role": "user", "content": text}], "stream": True}


_CONTENT = re.compile(rb'"content":"[^"]')

NATIVE = Dialect(
    "/api/chat",
    "/v1/chat/completions",
    chat,
    lambda body, _: body,
    _CONTENT,
    re.compile(rb'"(?:predicted_n|eval_count)":(\d+)'),
)
OPENAI = Dialect(
    "/v1/chat/completions",
    "/v1/chat/completions",
    _openai,
    lambda body, _: body,
    _CONTENT,
    re.compile(rb'"(?:predicted_n|completion_tokens)":(\d+)'),
)
ANTHROPIC = Dialect(
    "/v1/messages",
    "/v1/messages",
    _anthropic,
    lambda body, length: {**body, "max_tokens": length},  # a field that this route demands
    re.compile(rb'"text":"[^"]'),
    re.compile(rb'"output_tokens":(\d+)'),
)
