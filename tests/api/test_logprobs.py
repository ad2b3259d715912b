"""Logprobs on the native routes (contract ollama-http §4.10): one entry per token, streamed or not."""

from __future__ import annotations

from typing import Any

import pytest

from puna.api.ollama.answers import logprobs
from puna.engine import Logprob
from tests.servers import Server

TOKENS = 10
OPTIONS = {"num_predict": TOKENS, "temperature": 0, "seed": 1}
ASKED = {
    "/api/generate": {"prompt": "grass"},
    "/api/chat": {"messages": [{"role": "user", "content": "grass"}]},
}
CASES = [(path, model) for path in ASKED for model in ("M", "T")]  # T thinks: its text is taken apart


def entries(server: Server, path: str, model: str, **fields: Any) -> list[Any]:
    """Those of the whole answer; those of its stream, put together, are the same."""
    body = {"model": model, "options": OPTIONS, **ASKED[path], **fields}
    whole = server.post(path, {**body, "stream": False}).json
    streamed = list(server.stream(path, body))
    assert whole["eval_count"] == streamed[-1]["eval_count"] == TOKENS
    told: list[Any] = whole.get("logprobs", [])
    assert [_rounded(entry) for line in streamed for entry in line.get("logprobs", [])] == list(map(_rounded, told))
    return told


def _rounded(entry: Any) -> Any:
    """How a batch falls moves the last digits."""
    return entry["token"], round(entry["logprob"], 2), len(entry.get("top_logprobs", []))


@pytest.mark.parametrize(("path", "model"), CASES)
def test_every_token_has_one_entry(server: Server, path: str, model: str) -> None:
    told = entries(server, path, model, logprobs=True)
    assert len(told) == TOKENS
    assert all(list(entry) == ["token", "logprob", "bytes"] and entry["logprob"] <= 0 for entry in told)


@pytest.mark.parametrize(("path", "model"), CASES)
def test_alternatives_come_in_order_and_no_more_than_asked_for(server: Server, path: str, model: str) -> None:
    told = entries(server, path, model, logprobs=True, top_logprobs=3)
    assert len(told) == TOKENS
    for entry in told:
        top = entry["top_logprobs"]
        assert [other["logprob"] for other in top] == sorted((other["logprob"] for other in top), reverse=True)
        assert len(top) == 3
        assert (top[0]["token"], top[0]["bytes"]) == (entry["token"], entry["bytes"])  # greedy: the likeliest was taken


@pytest.mark.parametrize("path", ASKED)
def test_alternatives_alone_ask_for_nothing(server: Server, path: str) -> None:
    assert entries(server, path, "M", top_logprobs=3) == []


def test_an_empty_token_has_no_bytes() -> None:
    assert logprobs([Logprob("", -1.0, b"")]) == [{"token": "", "logprob": -1.0}]
