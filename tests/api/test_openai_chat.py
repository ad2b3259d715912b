"""`/v1/chat/completions` as bytes: shapes, the order of chunks, messages and their parts (contract ollama-http §6.1, §6.2)."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from tests.api.conftest import SMOL
from tests.servers import Answer, Server

HI = [{"role": "user", "content": "Why is the sky blue?"}]
CHAT = "/v1/chat/completions"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(24)).decode()
NO_MESSAGES = {
    "error": {
        "message": "[] is too short - 'messages'",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
}


def ask(server: Server, messages: Any = HI, *, model: str = "M", **fields: Any) -> Answer:
    return server.post(CHAT, {"model": model, "messages": messages, "max_tokens": 3, **fields})


def events(answer: Answer) -> list[Any]:
    """The payloads of a stream, `[DONE]` as text."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "text/event-stream"
    blocks = answer.body.decode().split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: ") for block in blocks)
    return [block[6:] if block == "data: [DONE]" else json.loads(block[6:]) for block in blocks]


def rendered(server: Server, messages: Any, *, model: str = SMOL, **fields: Any) -> str:
    answer = ask(server, messages, model=model, _debug_render_only=True, **fields)
    assert answer.status == 200, answer.body
    text: str = answer.json["_debug_info"]["rendered_template"]
    return text


def test_V25_no_messages(server: Server) -> None:
    answer = server.post(CHAT, {"model": "M", "messages": []})
    assert (answer.status, answer.json) == (400, NO_MESSAGES)


def test_V26_an_unknown_model(server: Server) -> None:
    answer = ask(server, model="nope")
    error = {"message": "model 'nope' not found", "type": "not_found_error", "param": None, "code": None}
    assert (answer.status, answer.json) == (404, {"error": error})


def test_V27_a_stream_with_usage(server: Server) -> None:
    *texts, finish, usage, done = events(ask(server, stream=True, stream_options={"include_usage": True}))
    first, *others = [chunk["choices"][0]["delta"] for chunk in texts]
    assert list(first) == ["role", "content"]
    assert first["role"] == "assistant"
    assert all(list(delta) == ["content"] for delta in others)
    assert all(chunk["choices"][0]["finish_reason"] is None and "usage" not in chunk for chunk in texts)
    assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 3
    assert usage["usage"]["prompt_tokens_details"].keys() == {"cached_tokens"}
    assert done == "[DONE]"
    chunks = [*texts, finish, usage]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["system_fingerprint"]) for chunk in chunks}) == 1


def test_without_include_usage_no_chunk_tells_it(server: Server) -> None:
    *chunks, done = events(ask(server, stream=True))
    assert not any("usage" in chunk for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert done == "[DONE]"


def test_one_object_in_the_order_of_the_contract(server: Server) -> None:
    answer = ask(server)
    assert answer.headers["content-type"] == "application/json"
    assert answer.body.endswith(b"}\n")
    found = answer.json
    assert list(found) == ["id", "object", "created", "model", "system_fingerprint", "choices", "usage"]
    assert re.fullmatch(r"chatcmpl-\d+", found["id"])
    (choice,) = found["choices"]
    assert list(choice) == ["index", "message", "finish_reason"]
    assert list(choice["message"]) == ["role", "content"]
    assert list(found["usage"])[:3] == ["prompt_tokens", "completion_tokens", "total_tokens"]


def test_an_empty_body_and_an_empty_name(server: Server) -> None:
    for body, message in ((b"", "EOF"), ({"messages": HI}, "model is required")):
        answer = server.post(CHAT, body)
        assert (answer.status, answer.json["error"]["message"]) == (400, message)
        assert answer.json["error"]["type"] == "invalid_request_error"


def test_an_embedding_model_does_not_chat(server: Server) -> None:
    answer = ask(server, model="E")
    assert (answer.status, answer.json["error"]["message"]) == (400, '"E" does not support chat')


def test_every_part_is_a_message_of_its_own(server: Server) -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert rendered(server, [{"role": "user", "content": parts}]) == rendered(
        server, [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    )


def test_the_developer_is_the_system(server: Server) -> None:
    text = {"content": "Be short."}
    assert rendered(server, [{"role": "developer", **text}, *HI]) == rendered(server, [{"role": "system", **text}, *HI])


def test_fields_of_messages_that_say_nothing_are_tolerated(server: Server) -> None:
    messages = [
        {"role": "user", "content": "hi", "name": "ada"},
        {"role": "assistant", "content": None, "refusal": "I will not.", "audio": None},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "Never."}], "annotations": []},
        {"role": "user", "content": "why?"},
    ]
    text = rendered(server, messages)
    assert "I will not." in text
    assert "Never." in text
    assert "ada" not in text


def test_the_history_of_a_call_is_rendered(server: Server) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lima"}'}}
    messages = [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    text = rendered(server, messages, model="tools")
    assert '{"name": "weather", "arguments": {"city": "Lima"}}' in text
    assert "<tool_response>\nsunny" in text


@pytest.mark.parametrize(
    ("message", "refusal", "param"),
    [
        ({"role": "user"}, "invalid message content type: <nil>", "messages[0].content"),
        ({"role": "user", "content": None}, "invalid message content type: <nil>", "messages[0].content"),
        ({"role": "user", "content": 1}, "invalid message content type: float64", "messages[0].content"),
        ({"role": "user", "content": True}, "invalid message content type: bool", "messages[0].content"),
        (
            {"role": "user", "content": {}},
            "invalid message content type: map[string]interface {}",
            "messages[0].content",
        ),
        ({"role": "user", "content": ["x"]}, "invalid message format", "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "text"}]}, "invalid message format", "messages[0].content[0]"),
        (
            {"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]},
            "invalid message format",
            "messages[0].content[0]",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": ""}}]},
            "invalid tool call arguments",
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "[1]"}}]},
            "invalid tool call arguments",
            "messages[0].tool_calls[0].function.arguments",
        ),
    ],
)
def test_a_message_that_cannot_be_read(server: Server, message: Any, refusal: str, param: str) -> None:
    answer = ask(server, [message])
    assert answer.status == 400
    error = {"message": refusal, "type": "invalid_request_error", "param": param, "code": None}
    assert answer.json == {"error": error}


def test_an_image_needs_a_model_that_sees(server: Server) -> None:
    for url in (f"data:image/png;base64,{PIXEL}", f"data:;base64,{PIXEL}"):
        for image in (url, {"url": url, "detail": "low"}):
            answer = ask(server, [{"role": "user", "content": [{"type": "image_url", "image_url": image}]}])
            assert answer.status == 400
            assert "does not support vision" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("field", "value", "think"),
    [("reasoning_effort", "none", False), ("reasoning", {"effort": "none"}, False), ("reasoning_effort", "high", True)],
)
def test_reasoning_effort_switches_thinking(server: Server, field: str, value: Any, think: bool) -> None:
    assert ("</think>" in rendered(server, HI, model="T", **{field: value})) is not think


def test_the_reasoning_object_wins(server: Server) -> None:
    text = rendered(server, HI, model="T", reasoning={"effort": "none"}, reasoning_effort="high")
    assert "</think>" in text


def test_a_debug_rendering_answers_without_generating(server: Server) -> None:
    found = ask(server, _debug_render_only=True).json
    assert found["choices"] == [{"index": 0, "message": {"role": "", "content": ""}, "finish_reason": None}]
    assert "Why is the sky blue?" in found["_debug_info"]["rendered_template"]


def test_max_completion_tokens_wins(server: Server) -> None:
    assert ask(server, max_tokens=5, max_completion_tokens=2).json["usage"]["completion_tokens"] == 2


def test_the_default_temperature_is_one_over_the_models_own(server: Server) -> None:
    body = {"model": "cold", "from": "M", "parameters": {"temperature": 0}, "stream": False}
    assert server.post("/api/create", body).json == {"status": "success"}
    texts = {ask(server, model="cold", seed=seed).json["choices"][0]["message"]["content"] for seed in range(4)}
    assert len(texts) > 1
    texts = {
        ask(server, model="cold", seed=seed, temperature=0).json["choices"][0]["message"]["content"]
        for seed in range(4)
    }
    assert len(texts) == 1


def test_tool_choice_none_offers_no_tool(server: Server) -> None:
    tools = [{"type": "function", "function": {"name": "clock"}}]
    assert "clock" in rendered(server, HI, model="tools", tools=tools)
    assert "clock" not in rendered(server, HI, model="tools", tools=tools, tool_choice="none")
    assert ask(server, tools=tools, tool_choice="none").status == 200
    refused = ask(server, tools=tools)
    assert (refused.status, "does not support tools" in refused.json["error"]["message"]) == (400, True)


def test_allowed_tools_are_the_only_ones_on_offer(server: Server) -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("clock", "radio")]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tools[1]]}}
    text = rendered(server, HI, model="tools", tools=tools, tool_choice=choice)
    assert "radio" in text
    assert "clock" not in text


def test_a_bad_request_among_choices_is_a_status(server: Server) -> None:
    answer = ask(server, n=2, stream=True, logit_bias={"999999999": 1})
    assert (answer.status, answer.json["error"]["param"]) == (400, "logit_bias")


LONG = [{"role": "user", "content": "grass " * 3000}]


@pytest.fixture(scope="module")
def short(server: Server) -> str:
    body = {"model": "short", "from": "M", "parameters": {"num_ctx": 256}, "stream": False}
    assert server.post("/api/create", body).json == {"status": "success"}
    return "short"


def test_what_was_left_out_of_a_prompt_is_told(server: Server, short: str) -> None:
    whole = ask(server, LONG, model=short)
    dropped = whole.json["usage"]["puna_dropped_tokens"]
    assert dropped > 2500
    assert whole.headers["x-puna-dropped-tokens"] == str(dropped)
    stream = ask(server, LONG, model=short, stream=True, stream_options={"include_usage": True})
    assert stream.headers["x-puna-dropped-tokens"] == str(dropped)
    assert events(stream)[-2]["usage"]["puna_dropped_tokens"] == dropped
    fitting = ask(server, model=short)
    assert "x-puna-dropped-tokens" not in fitting.headers
    assert "puna_dropped_tokens" not in fitting.json["usage"]


def test_a_prompt_is_not_cut_when_the_caller_says_so(server: Server, short: str) -> None:
    answer = ask(server, LONG, model=short, truncate=False)
    assert answer.status == 400
    assert "context" in answer.json["error"]["message"]
