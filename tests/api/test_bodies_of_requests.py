"""Bodies that are too deep, too many, too big when unpacked, or nothing where something should be (threats T14).

The routes and their fields come from the server's own OpenAPI page: a new one is tested when it is there.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from puna.serving.wire import MAX_CONTAINERS, MAX_DEPTH, MAX_VALUES
from tests.api.test_openapi_fuzz import ALLOWED_500
from tests.servers import Answer, Server

if sys.version_info >= (3, 14):
    from compression.zstd import compress
else:
    from backports.zstd import compress

MODEL = "bounded"
SAY = {"model": MODEL, "prompt": "hi", "stream": False}
TURNS = [{"role": "user", "content": "hi"}]
BODIES: dict[str, dict[str, Any]] = {
    "/api/generate": SAY,
    "/api/chat": {"model": MODEL, "messages": TURNS, "stream": False},
    "/api/embed": {"model": MODEL, "input": "hi"},
    "/api/embeddings": {"model": MODEL, "prompt": "hi"},
    "/api/rerank": {"model": MODEL, "query": "hi", "documents": ["a"]},
    "/v1/rerank": {"model": MODEL, "query": "hi", "documents": ["a"]},
    "/api/tokenize": {"model": MODEL, "content": "hi"},
    "/api/detokenize": {"model": MODEL, "tokens": [100]},
    "/api/show": {"model": MODEL},
    "/api/copy": {"source": MODEL, "destination": "copied"},
    "/api/create": {"model": "made", "from": MODEL, "stream": False},
    "/api/verify": {"model": MODEL, "stream": False},
    "/api/pull": {"model": "nowhere.example/a/b", "stream": False},
    "/api/push": {"model": "nowhere.example/a/b", "stream": False},
    "/api/outdated": {"models": []},
    "/v1/chat/completions": {"model": MODEL, "messages": TURNS, "max_tokens": 2},
    "/v1/completions": {"model": MODEL, "prompt": "hi", "max_tokens": 2},
    "/v1/embeddings": {"model": MODEL, "input": "hi"},
    "/v1/responses": {"model": MODEL, "input": "hi", "max_output_tokens": 2},
    "/v1/messages": {"model": MODEL, "messages": TURNS, "max_tokens": 2},
    "/v1/messages/count_tokens": {"model": MODEL, "messages": TURNS},
}
"""One good request for every route that has a model to name, by what its body needs."""

ALL_MODELS = ("/api/verify", "/api/outdated")  # when none is named
AT_ONCE = 4
DEEPEST = 6  # messages, 0, content, 0, source, data
NUMBERS = ("integer", "number")
HUGE = ["1e400", "-1e400", "9" * 4300, "1" + "0" * 100_000]


@pytest.fixture(scope="module", autouse=True)
def bounded(server: Server, tiny_llama: Path) -> Iterator[None]:
    server.create(MODEL, tiny_llama, parameters={"num_predict": 2, "num_ctx": 512})
    before = len(server.log)
    yield
    assert server.post("/api/generate", SAY).status == 200
    log = server.log[before:]
    assert "Traceback" not in log
    assert "unexpectedly stopped" not in log  # the engine


@pytest.fixture(scope="module")
def page(server: Server) -> dict[str, Any]:
    answer: dict[str, Any] = server.get("/openapi.json").json
    return answer


def _schemas(page: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Path → the schema of its JSON body."""
    found = {}
    for path, methods in page["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        if "application/json" in content:
            found[path] = content["application/json"]["schema"]
    return found


def test_every_route_has_a_body_here(page: dict[str, Any]) -> None:
    assert set(_schemas(page)) == set(BODIES)


def _send_all(server: Server, requests: list[tuple[str, bytes]], **headers: str) -> list[Answer]:
    def send(request: tuple[str, bytes]) -> Answer:
        return server.request("POST", request[0], request[1], headers=headers)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(send, requests))


def message_of(answer: Answer) -> str:
    error: Any = answer.lines[-1]["error"]
    return str(error if isinstance(error, str) else error["message"])


@pytest.mark.parametrize(
    ("body", "text"),
    [(b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "lists and objects|nested deeper"),
     (b'{"x": ' + b'{"a":' * 99_000 + b"1" + b"}" * 99_000 + b"}", "nested deeper"),
     (b"[" * 50_000, "nested deeper|unexpected"),
     (b'{"x": ' + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"}", "nested deeper"),
     (b'{"messages": [' + b"{}," * MAX_CONTAINERS + b"{}]}", "more than 100000 lists and objects"),
     (b'{"context": [' + b"0," * MAX_VALUES + b"0]}", "more than 1000000 values"),
     (b'{"x": "' + b'\\"[' * MAX_VALUES + b'", "y": [' + b"0," * MAX_VALUES + b"0]}", "more than 1000000 values"),
     (b'{"x": "' + b"[" * (MAX_CONTAINERS + 1) + b"\\", "unexpected EOF|invalid character|terminated string")],
    ids=["lists", "objects", "open lists", "one level", "objects in a list", "numbers", "behind a string", "half"],
)  # fmt: skip
def test_T14_a_body_that_is_too_deep_or_too_much_is_a_400(server: Server, body: bytes, text: str) -> None:
    for path, answer in zip(BODIES, _send_all(server, [(path, body) for path in BODIES]), strict=True):
        assert (path, answer.status) == (path, 400), answer.body
        assert re.search(text, message_of(answer)), (path, answer.body)


def test_what_stands_in_a_text_is_not_counted(server: Server) -> None:
    system = '[],{"\\' * MAX_VALUES
    assert server.post("/api/show", {"model": MODEL, "system": system}).status == 200


Place = tuple[str | int, ...]
"""Where something stands in a body; 0 is the first item of a list."""


def _resolved(page: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = page["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _places(page: dict[str, Any], schema: dict[str, Any], where: Place = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every place in a body with its schemas, parents first."""
    schema = _resolved(page, schema)
    if where:
        yield where, schema
    if len(where) == DEEPEST:
        return
    for choice in schema.get("anyOf", ()):
        yield from _places(page, choice, where)
    for name, inner in schema.get("properties", {}).items():
        yield from _places(page, inner, (*where, name))
    if "items" in schema:
        yield from _places(page, schema["items"], (*where, 0))


def _with(value: Any, place: Place, new: Any) -> Any:
    """`value` with `new` at `place`; what is missing on the way there is made."""
    if not place:
        return new
    step, *rest = place
    if step == 0:
        items = value if isinstance(value, list) and value else [None]
        return [_with(items[0], tuple(rest), new), *items[1:]]
    fields = value if isinstance(value, dict) else {}
    return {**fields, step: _with(fields.get(step), tuple(rest), new)}


OPTIONS = ("num_ctx", "num_predict", "temperature", "top_k", "top_p", "seed", "repeat_penalty", "num_gpu", "stop")


def test_T14_a_number_without_end_is_a_400(server: Server, page: dict[str, Any]) -> None:
    requests = []
    for path, schema in _schemas(page).items():
        places = dict.fromkeys(place for place, found in _places(page, schema) if found.get("type") in NUMBERS)
        if "options" in _resolved(page, schema)["properties"]:
            places |= dict.fromkeys(("options", name) for name in OPTIONS)
        for number, place in enumerate(places or [("unknown",)]):
            text = HUGE[number % len(HUGE)]
            body = json.dumps(_with(BODIES[path], place, "@")).replace('"@"', text)
            requests.append((path, body.encode()))
    assert len(requests) > 60
    for request, answer in zip(requests, _send_all(server, requests), strict=True):
        assert answer.status == 400, (request[0], request[1][:300], answer.body)
        assert message_of(answer) == "number out of range in the request body"


def test_T14_nothing_where_something_may_be_is_no_bug(server: Server, page: dict[str, Any]) -> None:
    """`null`, and what else is empty, in every field of every route."""
    requests = []
    for path, schema in _schemas(page).items():
        for place in dict.fromkeys(place for place, _ in _places(page, schema)):
            requests.append((path, _with(BODIES[path], place, None)))
            if len(place) < 3:
                empty: Any = [[], {}, "", 0][len(requests) % 4]
                requests.append((path, _with(BODIES[path], place, empty)))
    assert len(requests) > 300
    answers = _send_all(server, [(path, json.dumps(body).encode()) for path, body in requests])
    for request, answer in zip(requests, answers, strict=True):
        if answer.status >= 500:
            assert any(re.match(text, message_of(answer)) for text in ALLOWED_500), (request, answer.body)


@pytest.mark.parametrize("body", [b"", b" \n", b"null", b"{}", b"[]", b'""', b"0", b"\xff", b'{"model": null}'])
def test_T14_no_request_at_all_is_no_bug(server: Server, body: bytes) -> None:
    for path, answer in zip(BODIES, _send_all(server, [(path, body) for path in BODIES]), strict=True):
        assert answer.status in ((200, 400) if path in ALL_MODELS else (400, 404)), (path, answer.body)


def bomb() -> bytes:
    return b'{"model": "' + b" " * (256 << 20) + b'"}'


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    text = bomb()
    deflate = zlib.compress(text, 1)
    return {"zstd": compress(text), "gzip": gzip.compress(text, 1), "deflate": deflate, "br": b"\xce\xb2\xcf\x81"}


def test_T14_a_packed_body_is_refused_before_it_is_unpacked(server: Server, bombs: dict[str, bytes]) -> None:
    for encoding, data in bombs.items():
        answers = _send_all(server, [(path, data) for path in BODIES], **{"Content-Encoding": encoding})
        for path, answer in zip(BODIES, answers, strict=True):
            if encoding == "zstd" and path.startswith(("/v1/", "/api/rerank")):
                assert (path, answer.status) == (path, 400)
                assert message_of(answer) == "http: request body too large"
            else:
                assert (path, answer.status) == (path, 415), (encoding, answer.body)
                assert encoding in message_of(answer)


@pytest.mark.parametrize("encoding", ["zstd, gzip", "gzip, zstd", "zstd, zstd", "x" * 99])
def test_T14_several_encodings_are_refused(server: Server, encoding: str) -> None:
    data = compress(json.dumps(BODIES["/v1/messages"]).encode())
    answer = server.request("POST", "/v1/messages", data, headers={"Content-Encoding": encoding})
    assert answer.status == 415
    for path, body in (("/api/blobs/sha256:" + "0" * 64, b"x"), ("/v1/audio/transcriptions", b"--x--")):
        answer = server.request(
            "POST",
            path,
            body,
            headers={"Content-Encoding": encoding, "Content-Type": "multipart/form-data; boundary=x"},
        )
        assert answer.status == 415, answer.body


def test_a_body_that_says_it_is_not_packed_is_read(server: Server) -> None:
    for path in ("/api/show", "/v1/messages"):
        body = json.dumps(BODIES[path]).encode()
        assert server.request("POST", path, body, headers={"Content-Encoding": "Identity"}).status == 200
