"""`puna run` with a prompt: one answer, then it is over (contract ollama-store §6.5)."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.conftest import Puna
from tests.client.fake_server import FakeServer

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def test_an_answer_is_followed_by_two_newlines(served: Puna) -> None:
    result = served("run", "tiny", "say", "hello")
    assert (result.status, result.out, result.err) == (0, "Hello there\n\n", "")


def test_words_and_piped_text_make_one_prompt(served: Puna, server: FakeServer) -> None:
    served("run", "tiny", "sum", "it", "up", stdin="a long text\n")
    assert server.bodies("/api/generate")[0]["prompt"] == "a long text\n sum it up"


def test_an_empty_prompt_only_loads(served: Puna, server: FakeServer) -> None:
    result = served("run", "tiny", "--keepalive", "1h30m")
    assert (result.status, result.out) == (0, "")
    assert server.bodies("/api/generate") == [{"model": "tiny", "prompt": "", "keep_alive": "1h30m0s"}]


def test_the_flags_reach_the_request(served: Puna, server: FakeServer) -> None:
    schema = '{"type": "object"}'
    served("run", "tiny", "--think=high", "--keepalive=-1s", "--format", schema, "hi")
    request = server.bodies("/api/generate")[0]
    assert (request["think"], request["keep_alive"], request["format"]) == ("high", -1, {"type": "object"})
    served("run", "tiny", "--format=json", "--think", "hi")
    request = server.bodies("/api/generate")[1]
    assert (request["think"], request["format"], request["prompt"]) == (True, "json", "hi")


def test_a_model_that_can_think_is_asked_to_unless_told_otherwise(served: Puna, server: FakeServer) -> None:
    server.models["tiny"]["capabilities"] = ["completion", "thinking"]
    served("run", "tiny", "hi")
    served("run", "tiny", "hi", "--think=false")
    assert [request["think"] for request in server.bodies("/api/generate")] == [True, False]


def test_thinking_stands_apart_from_the_answer(served: Puna, server: FakeServer) -> None:
    server.pieces = [{"thinking": "hm"}, {"thinking": "m"}, {"content": "42"}]
    assert served("run", "tiny", "q").out == "Thinking...\nhmm\n...done thinking.\n\n42\n\n"
    assert served("run", "tiny", "q", "--hidethinking").out == "42\n\n"


def test_a_tool_call_is_told(served: Puna, server: FakeServer) -> None:
    server.pieces = [{"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}]
    out = served("run", "tiny", "q").out
    assert "  Model called a non-existent function 'f()' with arguments: {\"a\":1}\n" in out


def test_verbose_prints_the_numbers_on_stderr(served: Puna) -> None:
    assert served("run", "tiny", "q", "--verbose").err == (
        "total duration:       2s\n"
        "load duration:        500ms\n"
        "prompt eval count:    5 token(s)\n"
        "prompt eval duration: 100ms\n"
        "prompt eval rate:     50.00 tokens/s\n"
        "eval count:           10 token(s)\n"
        "eval duration:        1s\n"
        "eval rate:            10.00 tokens/s\n"
    )


def test_text_for_a_pipe_is_neither_wrapped_nor_changed(served: Puna, server: FakeServer) -> None:
    text = "word " * 60 + "\x1b[1m"
    server.pieces = [{"content": text}]
    assert served("run", "tiny", "q").out == text + "\n\n"


def test_a_missing_model_is_pulled_first(served: Puna, server: FakeServer) -> None:
    server.registry["far"] = [{"status": "pulling manifest"}, {"status": "success"}]
    result = served("run", "far", "hi", "--insecure")
    assert (result.status, result.out, result.err) == (0, "Hello there\n\n", "pulling manifest\nsuccess\n")
    assert server.bodies("/api/pull") == [{"model": "far", "insecure": True}]
    assert served("run", "far", "hi").err == ""


def test_a_model_that_is_nowhere_names_the_models_that_are_here(served: Puna) -> None:
    result = served("run", "nope", "hi")
    assert result.status == 1
    assert result.err == "pulling manifest\nError: model 'nope' not found\nthe models here are: tiny:latest\n"


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ('pull model manifest: GET "https://r.example/v2/": no such host', "\nthe models here are: tiny:latest"),
        ("connection reset by peer", ""),
    ],
)
def test_why_a_missing_model_could_not_be_pulled_is_told(
    served: Puna, server: FakeServer, error: str, hint: str
) -> None:
    server.registry["far"] = [{"error": error}]
    assert served("run", "far", "hi").err == f"Error: {error}{hint}\n"


def test_a_registry_that_may_not_be_used_is_told_with_the_models_that_are_here(
    served: Puna, server: FakeServer
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": "add it to PUNA_REGISTRIES"}, status=403)

    server.overrides["/api/pull"] = refuse
    error = "Error: 403 Forbidden: add it to PUNA_REGISTRIES\nthe models here are: tiny:latest\n"
    assert served("run", "r.example/a/b", "hi").err == error


def test_an_embedding_model_prints_its_vector(served: Puna, server: FakeServer) -> None:
    server.models["tiny"]["capabilities"] = ["embedding"]
    assert served("run", "tiny", "text", "--truncate=false", "--dimensions", "2").out == "[0.5,-0.25]\n"
    assert server.bodies("/api/embed") == [{"model": "tiny", "input": "text", "truncate": False, "dimensions": 2}]
    assert served("run", "tiny", stdin="piped").out == "[0.5,-0.25]\n"
    error = 'Error: embedding models require input text. Usage: puna run tiny "your text here"\n'
    assert served("run", "tiny").err == error


def test_an_image_model_is_refused(served: Puna, server: FakeServer) -> None:
    server.models["tiny"]["capabilities"] = ["image"]
    assert served("run", "tiny", "q").err == "Error: image generation models are not currently supported\n"


def test_a_reranker_is_no_partner_for_a_chat(served: Puna, server: FakeServer) -> None:
    server.models["tiny"]["capabilities"] = ["rerank"]
    error = "Error: tiny sorts documents by a query and does not chat: send them to /api/rerank\n"
    assert served("run", "tiny", "q").err == error


def test_a_failure_inside_the_answer_is_told_after_what_was_said(served: Puna, server: FakeServer) -> None:
    server.pieces = [{"content": "so far"}, {"error": "the runner died"}]
    result = served("run", "tiny", "q")
    assert (result.status, result.out, result.err) == (1, "so far", "Error: the runner died\n")


def test_pictures_are_attached_for_a_model_that_sees(
    served: Puna, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my cat.PNG").write_bytes(PNG)
    prompt = "what is './my\\ cat.PNG' and ./none.png?"
    served("run", "tiny", prompt)
    assert server.bodies("/api/generate")[0] == {"model": "tiny", "prompt": prompt}
    server.models["tiny"]["capabilities"] = ["completion", "vision"]
    result = served("run", "tiny", prompt)
    assert result.err == "Added image 'my cat.PNG'\n"
    request = server.bodies("/api/generate")[1]
    assert request["prompt"] == "what is  and ./none.png?"
    assert [base64.b64decode(image) for image in request["images"]] == [PNG]


def test_a_file_that_only_looks_like_a_picture_is_refused(served: Puna, server: FakeServer, tmp_path: Path) -> None:
    server.models["tiny"]["capabilities"] = ["completion", "vision"]
    (tmp_path / "a.png").write_text("not a picture")
    result = served("run", "tiny", f"see {tmp_path}/a.png")
    assert result.status == 1
    assert "invalid file type" in result.err
    assert json.dumps(server.bodies("/api/generate")) == "[]"
