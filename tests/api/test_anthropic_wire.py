"""Anthropic's dialect as bytes: headers, the order of events, error objects, and what is never fetched (contract §7)."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers import Answer, Server

HI = [{"role": "user", "content": "hi"}]


def send(server: Server, messages: Any = HI, **fields: Any) -> Answer:
    return server.post("/v1/messages", {"model": "M", "max_tokens": 3, "messages": messages, **fields})


def events(answer: Answer) -> list[tuple[str, dict[str, Any]]]:
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream"), answer.body
    assert answer.headers["cache-control"] == "no-cache"
    found = []
    for event in answer.body.decode().split("\n\n")[:-1]:
        kind, data = event.split("\n")
        found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def check_error(answer: Answer, status: int, kind: str, message: str) -> None:
    assert answer.status == status, answer.body
    assert list(answer.json) == ["type", "error", "request_id"]
    assert (answer.json["type"], answer.json["error"]["type"]) == ("error", kind)
    assert answer.json["error"]["message"].startswith(message), answer.body
    assert re.fullmatch(r"req_[0-9a-f]{24}", answer.json["request_id"])


def test_one_object(server: Server) -> None:
    answer = send(server, temperature=0)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body.endswith(b"}\n")
    assert list(answer.json) == [
        "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage",
    ]  # fmt: skip
    assert re.fullmatch(r"msg_[0-9a-f]{24}", answer.json["id"])
    assert [list(block) for block in answer.json["content"]] == [["type", "text"]]


def test_the_order_of_the_events(server: Server) -> None:
    found = events(send(server, stream=True))
    kinds = [kind for kind, _ in found]
    assert all(kind == data["type"] for kind, data in found)
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    start, last = found[0][1]["message"], found[-2][1]
    assert (start["model"], start["usage"]) == ("M", {"input_tokens": 1, "output_tokens": 0})
    assert last["delta"] == {"stop_reason": "max_tokens", "stop_sequence": None}
    assert last["usage"]["output_tokens"] == 3
    whole = send(server, temperature=0).json
    streamed = events(send(server, temperature=0, stream=True))
    deltas = [data["delta"]["text"] for kind, data in streamed if kind == "content_block_delta"]
    assert "".join(deltas) == whole["content"][0]["text"]


def test_a_stream_that_cannot_begin_has_a_real_status(server: Server) -> None:
    check_error(send(server, stream=True, max_tokens=0), 400, "invalid_request_error", "max_tokens is required and")
    check_error(send(server, stream=True, model="nobody"), 404, "not_found_error", "model 'nobody' not found")
    impossible = {"format": {"type": "json_schema", "schema": {"type": "array", "minItems": 10**9}}}
    check_error(send(server, stream=True, output_config=impossible), 400, "invalid_request_error", "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "missing request body"),
        (b"{", "unexpected EOF"),
        (b"[]", "json: cannot unmarshal array"),
        (b"null", "model is required"),
        (b'{"model": 7}', "json: field model: "),
        (b'{"model": "M", "max_tokens": 1.5}', "json: field max_tokens: "),
        (b'{"model": "M", "max_tokens": 5, "messages": [7]}', "json: field messages.0: "),
    ],
)
def test_bodies_that_are_none(server: Server, body: bytes, message: str) -> None:
    check_error(server.request("POST", "/v1/messages", body), 400, "invalid_request_error", message)


def test_headers_of_the_sdk_are_accepted(server: Server) -> None:
    headers = {"anthropic-version": "1999-01-01", "anthropic-beta": "odd-2030", "x-api-key": "k", "Accept": "nothing"}
    body = {"model": "M", "max_tokens": 1, "messages": HI}
    assert server.request("POST", "/v1/messages?beta=true", body, headers=headers).status == 200


def test_dropped_tokens_are_told(server: Server) -> None:
    """A context of 256 tokens: the prompt loses what does not fit, and the answer says how much."""
    created = server.post(
        "/api/create", {"model": "short", "from": "M", "parameters": {"num_ctx": 256}, "stream": False}
    )
    assert created.json == {"status": "success"}
    long = [{"role": "user", "content": "grass " * 800}]
    total = server.post("/v1/messages/count_tokens", {"model": "short", "messages": long}).json["input_tokens"]
    answer = send(server, long, model="short")
    dropped = int(answer.headers["x-puna-dropped-tokens"])
    usage = answer.json["usage"]
    assert (
        dropped
        == usage["puna_dropped_tokens"]
        == total - usage["input_tokens"] - usage["cache_read_input_tokens"]
        > 500
    )
    streamed = send(server, long, model="short", stream=True)
    assert int(streamed.headers["x-puna-dropped-tokens"]) == dropped
    assert dict(events(streamed))["message_delta"]["usage"]["puna_dropped_tokens"] == dropped
    fitting = send(server, model="short")
    assert "x-puna-dropped-tokens" not in fitting.headers
    assert "puna_dropped_tokens" not in fitting.json["usage"]


# Addresses in media fields.


@pytest.fixture(scope="module")
def canary() -> Iterator[socket.socket]:
    """Listens where the addresses lead; whoever calls would wait in its queue."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


ADDRESSES = [
    "http://127.0.0.1:{port}/x.png", "https://127.0.0.1:{port}/x.png", "HTTP://127.0.0.1:{port}/x.png",
    "file:///etc/passwd", "ftp://127.0.0.1:{port}/x", "gopher://127.0.0.1:{port}/x", "//127.0.0.1:{port}/x.png",
    "http:\\\\127.0.0.1:{port}\\x.png", "http://good.example@127.0.0.1:{port}/", "http://127.0.0.1:{port}#@good.example/",
    "http://127\uff0e0\uff0e0\uff0e1:{port}/", "http://2130706433:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "\thttp://127.0.0.1:{port}/", "data:text/html,http://127.0.0.1:{port}/",
]  # fmt: skip


@pytest.mark.parametrize("template", ADDRESSES)
def test_T07_an_address_of_an_image_is_refused_and_never_called(
    server: Server, canary: socket.socket, template: str
) -> None:
    address = template.format(port=canary.getsockname()[1])
    sources = [
        {"type": "url", "url": address},
        {"type": "base64", "media_type": "image/png", "data": address},
        {"type": "file", "file_id": address},
        {"type": address, "data": address, "url": address},
    ]
    for source in sources:
        image = {"type": "image", "source": source}
        result = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
        for block in (image, result):
            answer = send(server, [{"role": "user", "content": [block]}])
            check_error(answer, 400, "invalid_request_error", "invalid image source")
    _check_silence(canary)


@pytest.mark.parametrize("template", ADDRESSES)
def test_T07_an_address_in_text_is_text(server: Server, canary: socket.socket, template: str) -> None:
    link = f"![x]({template.format(port=canary.getsockname()[1])})"
    result = {"type": "tool_result", "tool_use_id": "t", "content": link}
    messages = [{"role": "user", "content": [result, {"type": "text", "text": link}]}]
    assert send(server, messages, system=link, max_tokens=1).status == 200
    _check_silence(canary)


def _check_silence(canary: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        canary.accept()
