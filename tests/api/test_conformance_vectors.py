"""The conformance vectors of contract ollama-http §12 that are about the native routes, each with its number.

25 to 29 are about the OpenAI and Anthropic dialects and stand in the tests of those routes.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.servers import Server

HI = {"model": "M", "prompt": "Why is the sky blue?", "options": {"num_predict": 4}}


@pytest.mark.parametrize(
    ("path", "body", "status", "expected"),
    [
        pytest.param("/api/generate", b"", 400, {"error": "missing request body"}, id="V01"),
        pytest.param("/api/generate", {"model": "E"}, 400, {"error": '"E" does not support generate'}, id="V02"),
        pytest.param("/api/chat", {"model": "E"}, 400, {"error": '"E" does not support chat'}, id="V03"),
        pytest.param("/api/generate", {**HI, "think": True}, 400, {"error": '"M" does not support thinking'}, id="V04"),
        pytest.param(
            "/api/generate",
            {**HI, "suffix": "x"},
            400,
            {"error": "registry.ollama.ai/library/M:latest does not support insert"},
            id="V05",
        ),
        pytest.param(
            "/api/generate",
            {**HI, "raw": True, "system": "s"},
            400,
            {"error": "raw mode does not support template, system, or context"},
            id="V06",
        ),
        pytest.param(
            "/api/generate",
            {**HI, "top_logprobs": 21},
            400,
            {"error": "top_logprobs must be between 0 and 20"},
            id="V07",
        ),
        pytest.param(
            "/api/generate",
            {**HI, "options": {"seed": "1"}},
            500,
            {"error": 'option "seed" must be of type integer'},
            id="V08",
        ),
        pytest.param(
            "/api/generate",
            {**HI, "keep_alive": "5"},
            400,
            {"error": 'time: missing unit in duration "5"'},
            id="V13",
        ),
        pytest.param("/api/embed", {"model": "E", "input": []}, 200, {"model": "E", "embeddings": []}, id="V16"),
        pytest.param("/api/embed", {"model": "E", "input": 1}, 400, {"error": "invalid input type"}, id="V17"),
        pytest.param(
            "/api/embed",
            {"model": "E", "input": "sky " * 400, "truncate": False, "options": {"num_ctx": 16}},
            400,
            {"error": "the input length exceeds the context length"},
            id="V18",
        ),
        pytest.param(
            "/api/create", {"model": "x"}, 400, {"error": "neither 'from' or 'files' was specified"}, id="V19"
        ),
        pytest.param("/api/create", {"model": "x", "from": "M", "stream": False}, 200, {"status": "success"}, id="V21"),
    ],
)
def test_exact_answers(server: Server, path: str, body: Any, status: int, expected: Any) -> None:
    answer = server.post(path, body)
    assert (answer.status, answer.json) == (status, expected)


def test_V09_unknown_options_are_ignored(server: Server) -> None:
    answer = server.post("/api/generate", {**HI, "options": {"nonsense": 1, "num_predict": 2}, "stream": False})
    assert answer.status == 200
    assert answer.json["done"] is True


def test_V10_generate_without_prompt_loads(server: Server) -> None:
    server.unload()
    answer = server.post("/api/generate", {"model": "M"})
    assert answer.status == 200
    assert answer.json.pop("created_at")
    assert list(answer.json) == ["model", "created_at", "response", "done", "done_reason"]
    assert answer.json["done_reason"] == "load"
    assert "M:latest" in [row["name"] for row in server.get("/api/ps").json["models"]]


def test_V11_keep_alive_zero_unloads(server: Server) -> None:
    server.unload()
    server.post("/api/generate", {"model": "M"})
    answer = server.post("/api/generate", {"model": "M", "keep_alive": 0})
    assert answer.json["done_reason"] == "unload"
    deadline = time.monotonic() + 10
    while "M:latest" in [row["name"] for row in server.get("/api/ps").json["models"]]:
        assert time.monotonic() < deadline, "the model is still listed"
        time.sleep(0.05)


def test_V12_chat_without_messages_unloads(server: Server) -> None:
    answer = server.post("/api/chat", {"model": "M", "messages": [], "keep_alive": "0s"}).json
    assert answer["message"] == {"role": "assistant", "content": ""}
    assert (answer["done"], answer["done_reason"]) == (True, "unload")


def test_V14_a_thinking_model_thinks_unasked(server: Server) -> None:
    """The tiny model's words are random, so a template of our own opens its thought; the split is what is shown."""
    template = '{{ range .Messages }}{{ if eq .Role "assistant" }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}{{ end }}<think>'
    created = server.post("/api/create", {"model": "T2", "from": "T", "template": template, "stream": False})
    assert created.json == {"status": "success"}
    body = {"model": "T2", "prompt": "hi", "stream": False, "options": {"num_predict": 8, "seed": 1}}
    answer = server.post("/api/generate", body)
    assert answer.status == 200
    assert answer.json["thinking"]
    assert answer.json["response"] == ""


def test_V15_one_logprob_entry_per_token(server: Server) -> None:
    """The seed's answer has no token that is half a character: the engine gives such a one no entry."""
    body = {**HI, "options": {"num_predict": 10, "seed": 1}, "logprobs": True, "top_logprobs": 2}
    lines = server.post("/api/generate", body).lines
    entries = [entry for line in lines for entry in line.get("logprobs", [])]
    assert len(entries) == 10
    for entry in entries:
        assert bytes(entry["bytes"]).decode(errors="replace") == entry["token"] or "\ufffd" in entry["token"]
        assert len(entry["top_logprobs"]) == 2
        assert entry["top_logprobs"][0]["logprob"] >= entry["top_logprobs"][1]["logprob"]


def test_V20_a_broken_template_is_refused(server: Server) -> None:
    answer = server.post("/api/create", {"model": "x", "from": "M", "template": "{{ if"})
    assert answer.lines[-1]["error"].startswith("template error: ")


@pytest.mark.parametrize("path", ["/", "/api/tags", "/api/version", "/nowhere"])
def test_V22_a_foreign_origin_is_refused(server: Server, path: str) -> None:
    answer = server.get(path, Origin="http://evil.example")
    assert (answer.status, answer.body) == (403, b"")


def test_V23_a_local_page_may_call(server: Server) -> None:
    answer = server.get("/api/version", Origin="http://localhost:3000")
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_V24_a_foreign_host_is_refused(server: Server) -> None:
    answer = server.get("/api/version", Host="evil.example")
    assert (answer.status, answer.body) == (403, b"")


def test_V30_a_full_queue_answers_busy(server: Server) -> None:
    """One load at a time and room for one more: of five models asked for at once, some are turned away."""
    settings = {"PUNA_MAX_QUEUE": "1", "PUNA_MAX_LOADED_MODELS": "1"}
    names = ("M", "E", "T", "tools", "smollm2:135m")
    with Server(server.models, server.home.parent / "busy", settings) as small, ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda name: small.post("/api/embed", {"model": name, "input": []}), names))
    refused = [answer for answer in answers if answer.status == 503]
    assert refused
    for answer in refused:
        assert answer.json == {"error": "server busy, please try again.  maximum pending requests exceeded"}
    assert {answer.status for answer in answers} == {200, 503}


def test_V31_a_killed_runner_ends_the_stream_in_an_error_line(server: Server) -> None:
    lines = server.stream("/api/generate", {**HI, "options": {"num_predict": 5000}})
    next(lines)
    for runner in server.runners():
        runner.kill()
    last = list(lines)[-1]
    assert list(last) == ["error"]
    assert server.post("/api/generate", {**HI, "stream": False}).json["done"] is True


def test_V32_a_client_that_leaves_does_not_unload(server: Server) -> None:
    server.post("/api/generate", {"model": "M"})
    lives = server.lives("M")
    lines = server.stream("/api/generate", {**HI, "options": {"num_predict": 5000}})
    next(lines)
    lines.close()
    assert server.post("/api/generate", {**HI, "stream": False}).status == 200
    assert server.lives("M") == lives


def test_lines_are_compact_json(server: Server) -> None:
    body = server.post("/api/generate", HI).body
    assert body.endswith(b"\n")
    for line in body.splitlines():
        assert (
            line == json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False).encode() or b"\\u00" in line
        )
