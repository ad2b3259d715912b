"""What the OpenAI routes cannot do they refuse by name: `param` is the field; addresses of media are never looked at."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers import Answer, Server

HI = [{"role": "user", "content": "hi"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}

REFUSED_IN_CHAT: list[tuple[str, Any]] = [
    ("audio", {"voice": "alloy", "format": "wav"}),
    ("modalities", ["text", "audio"]),
    ("prediction", {"type": "content", "content": "x"}),
    ("web_search_options", {}),
    ("moderation", {}),
    ("functions", [{"name": "f"}]),
    ("function_call", "auto"),
    ("verbosity", "low"),
    ("n", 0),
    ("n", 9),
    ("n", 1.5),
    ("temperature", -1),
    ("temperature", "1"),
    ("top_p", 1.5),
    ("max_tokens", "1"),
    ("max_completion_tokens", 1.5),
    ("frequency_penalty", 101),
    ("presence_penalty", -101),
    ("seed", 1.5),
    ("logprobs", 1),
    ("top_logprobs", 21),
    ("top_logprobs", 3),
    ("logit_bias", [1]),
    ("logit_bias", {"grass": 1}),
    ("logit_bias", {"-1": 1}),
    ("logit_bias", {"5": 101}),
    ("reasoning_effort", "much"),
    ("tool_choice", "required"),
    ("tool_choice", "any"),
    ("tool_choice", {"type": "function", "function": {"name": "weather"}}),
    ("tool_choice", {"type": "custom", "custom": {"name": "weather"}}),
    ("tool_choice", 1),
    ("tools", [{"type": "function"}]),
    ("truncate", "no"),
]
REFUSED_INSIDE: list[tuple[str, Any, str]] = [
    ("logit_bias", {"5": "1"}, "logit_bias[5]"),
    ("reasoning", {"effort": "much"}, "reasoning.effort"),
    ("tools", [WEATHER, {"type": "custom", "custom": {"name": "c"}}], "tools[1].type"),
    ("tools", [{"type": "web_search"}], "tools[0].type"),
    ("response_format", {"type": "grammar"}, "response_format.type"),
    ("response_format", {"type": "json_schema"}, "response_format.json_schema.schema"),
    ("response_format", {"type": "json_schema", "json_schema": {"schema": []}}, "response_format.json_schema.schema"),
    ("messages", [{"role": "assistant", "content": "x", "audio": {"id": "a"}}], "messages[0].audio"),
    (
        "messages",
        [{"role": "assistant", "content": "x", "function_call": {"name": "f", "arguments": "{}"}}],
        "messages[0].function_call",
    ),
    ("messages", [{"role": 1, "content": "x"}], "messages[0].role"),
]
REFUSED_IN_COMPLETIONS: list[tuple[str, Any]] = [
    ("prompt", 1),
    ("prompt", []),
    ("prompt", [1, 2]),
    ("prompt", [[1, 2]]),
    ("prompt", ["a", ""]),
    ("prompt", ["a"] * 33),
    ("best_of", 2),
    ("logprobs", 21),
    ("logprobs", True),
    ("n", 9),
    ("stop", ["a", 1]),
    ("stop", 1),
]
ACCEPTED: list[tuple[str, Any]] = [
    ("user", "ada"),
    ("store", True),
    ("metadata", {"a": "b"}),
    ("service_tier", "auto"),
    ("safety_identifier", "ada"),
    ("prompt_cache_key", "a"),
    ("parallel_tool_calls", False),
    ("modalities", ["text"]),
    ("verbosity", "medium"),
    ("response_format", {"type": "text"}),
    ("tool_choice", "none"),
    ("tool_choice", "auto"),
    ("stop", ["a", 1, None]),
    ("logit_bias", {"5": -100}),
    ("seed", 0),
    ("top_p", 0),
    ("nonsense", 1),
]


def refused(answer: Answer, param: str) -> None:
    assert answer.status == 400, answer.body
    error = answer.json["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, None)
    assert error["message"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("field", "value"), REFUSED_IN_CHAT)
def test_a_field_of_chat_is_refused_by_its_name(server: Server, field: str, value: Any, stream: bool) -> None:
    body = {"model": "M", "messages": HI, "max_tokens": 2, "stream": stream, field: value}
    refused(server.post("/v1/chat/completions", body), field)


@pytest.mark.parametrize(("field", "value", "param"), REFUSED_INSIDE)
def test_a_field_inside_another_is_refused_by_its_place(server: Server, field: str, value: Any, param: str) -> None:
    body = {"model": "tools", "messages": HI, "max_tokens": 2, field: value}
    refused(server.post("/v1/chat/completions", body), param)


@pytest.mark.parametrize(("field", "value"), REFUSED_IN_COMPLETIONS)
def test_a_field_of_completions_is_refused_by_its_name(server: Server, field: str, value: Any) -> None:
    refused(server.post("/v1/completions", {"model": "M", "prompt": "a", "max_tokens": 2, field: value}), field)


def test_an_echo_has_no_logprobs(server: Server) -> None:
    body = {"model": "M", "prompt": "a", "max_tokens": 2, "echo": True, "logprobs": 0}
    refused(server.post("/v1/completions", body), "echo")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "encoding_format",
            "binary",
            "Invalid value for 'encoding_format' = binary. Supported values: ['float', 'base64'].",
        ),
        ("input", [1, 2], "invalid input type"),
        ("input", 1, "invalid input type"),
        ("input", [], "invalid input"),
    ],
)
def test_a_field_of_embeddings_is_refused_by_its_name(server: Server, field: str, value: Any, message: str) -> None:
    answer = server.post("/v1/embeddings", {"model": "E", "input": "a", field: value})
    refused(answer, field)
    assert answer.json["error"]["message"] == message


def test_a_stop_of_another_type_is_told_as_the_reference_does(server: Server) -> None:
    answer = server.post("/v1/completions", {"model": "M", "prompt": "a", "stop": ["a", 1]})
    assert answer.json["error"]["message"] == "invalid type for 'stop' field: float64"


@pytest.mark.parametrize(("field", "value"), ACCEPTED)
def test_a_field_is_accepted(server: Server, field: str, value: Any) -> None:
    body = {"model": "M", "messages": HI, "max_tokens": 1, field: value}
    assert server.post("/v1/chat/completions", body).status == 200


@pytest.mark.parametrize("field", [field for field, _ in [*REFUSED_IN_CHAT, *ACCEPTED]])
def test_null_is_an_absent_field(server: Server, field: str) -> None:
    body = {"model": "M", "messages": HI, "max_tokens": 1, field: None}
    body.setdefault("max_completion_tokens", 1)
    if field == "max_completion_tokens":
        body["max_tokens"] = 1
    assert server.post("/v1/chat/completions", body).status == 200


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {}, "minItems": 1_000_000_000},
        {"type": "string", "pattern": "(" * 600},
        {"type": "string", "minLength": 5, "maxLength": 1},
    ],
)
def test_T17_a_schema_that_is_a_bomb_is_refused(server: Server, schema: Any) -> None:
    wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
    answer = server.post(
        "/v1/chat/completions", {"model": "M", "messages": HI, "max_tokens": 2, "response_format": wanted}
    )
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")


class Canary:
    """A listener that counts who comes."""

    def __init__(self) -> None:
        self.hits = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._count)
        self._thread.start()

    def _count(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            said = connection.recv(1)
            connection.close()
            if said == b"q":
                self._socket.close()
                return
            self.hits += 1

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"q")
        self._thread.join()


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    found = Canary()
    yield found
    found.close()


ADDRESSES = [
    "http://127.0.0.1:{port}/a.png",
    "https://127.0.0.1:{port}/a.png",
    "HTTP://127.0.0.1:{port}/a.png",
    " http://127.0.0.1:{port}/a.png",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/a.png",
    "gopher://127.0.0.1:{port}/1",
    "//127.0.0.1:{port}/a.png",
    "http:\\\\127.0.0.1:{port}\\a.png",
    "http://user@127.0.0.1:{port}/a.png",
    "http://example.com@127.0.0.1:{port}/a.png",
    "http://127\u30020\u30020\u30021:{port}/a.png",
    "http://[::ffff:127.0.0.1]:{port}/a.png",
    "data:text/html;base64,aHR0cDovLzEyNy4wLjAuMQ==",
    "data:image/png,http://127.0.0.1:{port}/a.png",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_T07_an_address_in_a_media_field_is_refused_unread(server: Server, canary: Canary, address: str) -> None:
    url = address.format(port=canary.port)
    for image in (url, {"url": url}):
        parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": image}]
        answer = server.post("/v1/chat/completions", {"model": "M", "messages": [{"role": "user", "content": parts}]})
        refused(answer, "messages[0].content[1].image_url")
    sound = [{"type": "input_audio", "input_audio": {"data": url, "format": "wav"}}]
    answer = server.post("/v1/chat/completions", {"model": "M", "messages": [{"role": "user", "content": sound}]})
    refused(answer, "messages[0].content[0].input_audio.data")
    if url.lower().startswith(("http://", "https://")):
        answer = server.post("/v1/chat/completions", {"model": "M", "messages": [{"role": "user", "content": parts}]})
        text = "image URLs are not currently supported, please use base64 encoded data instead"
        assert answer.json["error"]["message"] == text
    assert canary.hits == 0


@pytest.mark.parametrize("address", ADDRESSES)
def test_T07_an_address_in_a_text_is_only_text(server: Server, canary: Canary, address: str) -> None:
    link = f"![picture]({address.format(port=canary.port)})"
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": link},
        {"role": "user", "content": [{"type": "text", "text": link}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": link},
    ]
    answer = server.post("/v1/chat/completions", {"model": "tools", "messages": messages, "max_tokens": 1})
    assert answer.status == 200
    assert canary.hits == 0
