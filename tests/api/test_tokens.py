"""Text to tokens and back on `/api/tokenize` and `/api/detokenize`, Puna's own routes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import SMOL
from tests.servers import Server


def tokens(server: Server, content: str, model: str = "M") -> list[int]:
    answer = server.post("/api/tokenize", {"model": model, "content": content})
    assert (answer.status, list(answer.json)) == (200, ["tokens"]), answer.body
    found: list[int] = answer.json["tokens"]
    return found


@pytest.mark.parametrize("content", ["", "grass", "Why is the sky blue?\n\n  \t", "ñandú 🦙 高原", "a" * 5000, "\x00"])
def test_there_and_back(server: Server, content: str) -> None:
    for model in ("M", SMOL):
        answer = server.post("/api/detokenize", {"model": model, "tokens": tokens(server, content, model)})
        assert (answer.status, answer.json) == (200, {"content": content})


def test_control_tokens_are_one_token_each_and_none_is_added(server: Server) -> None:
    assert len(tokens(server, "<|im_start|>")) == 1
    assert tokens(server, "grass<|im_end|>") == tokens(server, "grass") + tokens(server, "<|im_end|>")


def test_a_prompt_costs_what_its_tokens_say(server: Server) -> None:
    prompt = "Why is the sky blue?"
    body = {"model": "M", "prompt": prompt, "raw": True, "stream": False, "options": {"num_predict": 1}}
    assert server.post("/api/generate", body).json["prompt_eval_count"] == len(tokens(server, prompt))


def test_an_embedding_model_has_tokens_too(server: Server) -> None:
    assert len(tokens(server, "the grass of the land", "E")) >= 5


def test_half_a_character_is_a_mark_and_no_failure(server: Server) -> None:
    llama = tokens(server, "🦙")
    assert len(llama) > 1
    assert "\ufffd" in server.post("/api/detokenize", {"model": "M", "tokens": llama[:1]}).json["content"]


@pytest.mark.parametrize(
    ("route", "body", "status", "message"),
    [
        ("tokenize", {"content": "x"}, 400, "model is required"),
        ("tokenize", {"model": "nobody", "content": "x"}, 404, "model 'nobody' not found"),
        ("tokenize", {"model": "../x", "content": "x"}, 400, ""),
        ("tokenize", {"model": "M", "content": 7}, 400, "json: field content: "),
        ("detokenize", {"tokens": [1]}, 400, "model is required"),
        ("detokenize", {"model": "nobody", "tokens": [1]}, 404, "model 'nobody' not found"),
        ("detokenize", {"model": "M", "tokens": "x"}, 400, "json: field tokens: "),
        ("detokenize", {"model": "M", "tokens": [1, "2"]}, 400, "json: field tokens.1: "),
        ("detokenize", {"model": "M", "tokens": [1.5]}, 400, "json: field tokens.0: "),
        ("detokenize", {"model": "M", "tokens": [-1]}, 400, "json: field tokens.0: "),
        ("detokenize", {"model": "M", "tokens": [2**31]}, 400, "json: field tokens.0: "),
        ("detokenize", {"model": "M", "tokens": [2**31 - 1]}, 400, ""),
        ("detokenize", {"model": "M", "tokens": [49_152]}, 400, ""),
    ],
)
def test_bad_requests_are_named(server: Server, route: str, body: Any, status: int, message: str) -> None:
    answer = server.post(f"/api/{route}", body)
    assert (answer.status, list(answer.json)) == (status, ["error"]), answer.body
    assert answer.json["error"].startswith(message)
    assert tokens(server, "still here")


@pytest.mark.parametrize("body", [{"model": "M"}, {"model": "M", "content": None, "tokens": None}])
def test_nothing_is_no_tokens(server: Server, body: Any) -> None:
    assert server.post("/api/tokenize", body).json == {"tokens": []}
    assert server.post("/api/detokenize", body).json == {"content": ""}
