"""What a caller sees of bad names, unknown paths and wrong methods (contract ollama-http §1.1, §1.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers import Server

NOT_FOUND = "model 'nope' not found"
TRY_PULLING = 'model "nope" not found, try pulling it first'


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "/api/generate", {"model": ""}, 404, "model '' not found"),
        ("POST", "/api/generate", {"model": "a b"}, 400, "invalid model name"),
        ("POST", "/api/generate", {"model": "nope"}, 404, NOT_FOUND),
        ("POST", "/api/chat", {"model": ""}, 400, "model is required"),
        ("POST", "/api/chat", {"model": "a b"}, 400, "invalid model name"),
        ("POST", "/api/chat", {"model": "nope"}, 404, NOT_FOUND),
        ("POST", "/api/embed", {"model": "", "input": "x"}, 404, "model '' not found"),
        ("POST", "/api/embed", {"model": "a b", "input": "x"}, 400, "invalid model name"),
        ("POST", "/api/embed", {"model": "nope", "input": "x"}, 404, TRY_PULLING),
        ("POST", "/api/embeddings", {"model": ""}, 400, "model is required"),
        ("POST", "/api/embeddings", {"model": "a b"}, 400, "invalid model name"),
        ("POST", "/api/embeddings", {"model": "nope"}, 404, TRY_PULLING),
        ("POST", "/api/show", {"name": ""}, 400, "model is required"),
        ("POST", "/api/show", {"model": "a b"}, 400, "invalid model name"),
        ("POST", "/api/show", {"model": "nope"}, 404, "model 'nope:latest' not found"),
        ("DELETE", "/api/delete", {"name": ""}, 400, "model is required"),
        ("DELETE", "/api/delete", {"model": "a b"}, 400, 'name "a b" is invalid'),
        ("DELETE", "/api/delete", {"model": "nope"}, 404, NOT_FOUND),
        ("POST", "/api/copy", {"destination": "x"}, 400, 'source "" is invalid'),
        ("POST", "/api/copy", {"source": "x"}, 400, 'destination "" is invalid'),
        ("POST", "/api/copy", {"source": "a b", "destination": "x"}, 400, 'source "a b" is invalid'),
        ("POST", "/api/copy", {"source": "nope", "destination": "x"}, 404, 'model "nope" not found'),
        ("POST", "/api/create", {"model": ""}, 400, "invalid model name"),
        ("POST", "/api/create", {"model": "a b"}, 400, "invalid model name"),
    ],
)
def test_each_route_has_its_own_words_for_a_bad_name(
    server: Server, method: str, path: str, body: Any, status: int, error: str
) -> None:
    answer = server.request(method, path, body)
    assert (answer.status, answer.json) == (status, {"error": error})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/generate", {"model": "llama3:cloud", "prompt": "x"}),
        ("POST", "/api/chat", {"model": "gpt-oss:120b-cloud", "messages": [{"role": "user", "content": "x"}]}),
        ("POST", "/api/show", {"model": "llama3:cloud"}),
    ],
)
def test_hosted_models_are_refused(server: Server, method: str, path: str, body: Any) -> None:
    answer = server.request(method, path, body)
    assert answer.status == 403
    assert answer.json["error"].startswith("ollama cloud is disabled: remote model")


def test_both_suffixes_at_once_are_a_contradiction(server: Server) -> None:
    answer = server.post("/api/generate", {"model": "m:cloud:local", "prompt": "x"})
    assert (answer.status, answer.json["error"]) == (400, 'use either :local or :cloud, not both: "m:cloud:local"')


def test_names_are_found_in_any_case_and_echoed_as_sent(server: Server) -> None:
    answer = server.post(
        "/api/generate", {"model": " m:LATEST ", "prompt": "x", "stream": False, "options": {"num_predict": 1}}
    )
    assert answer.status == 200
    assert answer.json["model"] == " m:LATEST "


def test_unknown_path(server: Server) -> None:
    answer = server.get("/api/nothing")
    assert (answer.status, answer.body) == (404, b"404 page not found")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", "/api/show", "POST"), ("POST", "/api/tags", "GET, HEAD"), ("HEAD", "/api/ps", "GET")],
)
def test_wrong_method(server: Server, method: str, path: str, allow: str) -> None:
    answer = server.request(method, path)
    assert answer.status == 405
    assert answer.body == (b"" if method == "HEAD" else b"405 method not allowed")
    assert sorted(answer.headers["allow"].split(", ")) == sorted(allow.split(", "))


@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("POST", 307)])
def test_a_trailing_slash_redirects(server: Server, method: str, status: int) -> None:
    path = "/api/tags" if method == "GET" else "/api/show"
    answer = server.request(method, path + "/")
    assert answer.status == status
    assert answer.headers["location"].endswith(path)


def test_heartbeat(server: Server) -> None:
    answer = server.get("/")
    assert (answer.status, answer.body) == (200, b"Ollama is running")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert server.request("HEAD", "/").body == b""


def test_version_is_a_plain_semver(server: Server) -> None:
    version = server.get("/api/version").json
    assert list(version) == ["version"]
    assert tuple(int(part) for part in version["version"].split(".")) >= (0, 33, 0)


def test_status_tells_a_supervisor_what_is_loaded(server: Server) -> None:
    status = server.get("/api/status").json
    assert status["cloud"] == {"disabled": True, "source": "env"}
    assert status["puna"]["status"] == "ok"
    assert status["puna"]["models_loaded"] == len(server.get("/api/ps").json["models"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/me", {}, 401),
        ("POST", "/api/signout", {}, 401),
        ("DELETE", "/api/user/keys/abc", None, 401),
        ("POST", "/api/experimental/web_search", {"query": "x"}, 403),
        ("POST", "/api/experimental/web_fetch", {"url": "x"}, 403),
        ("POST", "/api/experimental/web_search", b"", 400),
        ("GET", "/api/experimental/model-recommendations", None, 200),
    ],
)
def test_stubs_of_the_hosted_service(server: Server, method: str, path: str, body: Any, status: int) -> None:
    assert server.request(method, path, body).status == status


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"null", 404, "model '' not found"),
        (b"  \n", 400, "missing request body"),
        (b"{", 400, "unexpected EOF"),
        (b"x", 400, None),
        (b"[]", 400, None),
        (b'{"model":"nope","stream":"yes"}', 400, None),
        (b'{"model":"nope","options":[]}', 400, None),
        (b'{"model":"nope","top_logprobs":1.5}', 400, None),
        (b'{"model":"nope"} trailing', 404, NOT_FOUND),
        (b'{"MODEL":"nope"}', 404, NOT_FOUND),
        (b'{"model":"nope","Model":"other"}', 404, NOT_FOUND),
        (b'{"model":"nope","system":null,"options":null,"stream":null}', 404, NOT_FOUND),
        (b'{"model":"nope","unknown":[1]}', 404, NOT_FOUND),
        (b'{"model":"nope","images":["data:image/png;base64,AAAA"]}', 400, "illegal base64 data at input byte 4"),
        (b'{"model":"nope","keep_alive":true}', 400, "Unsupported type: 'bool'"),
        (b'{"model":"nope","think":"loud"}', 400,
         'invalid think value: "loud" (must be "high", "medium", "low", "max", true, or false)'),
        (b'{"model":"nope","think":3}', 400,
         'think must be a boolean or string ("high", "medium", "low", "max", true, or false)'),
        (b"[" * 100_000, 400, None),
        (b'{"model":"nope","options":{"seed":' + b"9" * 5000 + b"}}", 400, None),
        (b'{"model":"nope","options":{"seed":NaN}}', 400, None),
        ('{"model":"nope","prompt":"\u00fc'.encode("latin-1") + b'"}', 404, NOT_FOUND),
    ],
)  # fmt: skip
def test_bodies_are_read_as_the_reference_reads_them(
    server: Server, body: bytes, status: int, error: str | None
) -> None:
    answer = server.request("POST", "/api/generate", body)
    assert answer.status == status, answer.body
    assert error is None or answer.json == {"error": error}
    assert list(answer.json) == ["error"]
