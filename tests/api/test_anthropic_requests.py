"""What a body of Anthropic's dialect asks of the engine, field by field (contract ollama-http §7)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from puna.api.anthropic.asking import prompt_request
from puna.api.anthropic.schemas import AnthropicMessagesBody
from puna.engine.requests import ChatRequest
from puna.errors import BadRequest
from puna.prompts.messages import Message, ToolCall
from puna.serving.wire import decode

PIXEL = b"\x89PNG\r\n\x1a\n pixel"
IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PIXEL).decode()},
}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "weather", "description": "The weather of a city.", "input_schema": SCHEMA}
TIME = {"name": "time", "input_schema": {"type": "object"}}


def asked(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    body = {"model": "M", "max_tokens": 8, "messages": messages or [{"role": "user", "content": "hi"}], **fields}
    return prompt_request(decode(json.dumps(body).encode(), AnthropicMessagesBody))


def refused(*messages: dict[str, Any], **fields: Any) -> str:
    with pytest.raises(BadRequest) as caught:
        asked(*messages, **fields)
    return caught.value.message


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words, "cache_control": {"type": "ephemeral"}}


def test_text_and_system_are_a_text_or_blocks() -> None:
    expected = [Message("system", "Be brief."), Message("user", "hello")]
    assert asked({"role": "user", "content": "hello"}, system="Be brief.").messages == expected
    blocks = asked(user(text("hel"), text("lo")), system=[text("Be "), text("brief.")])
    assert blocks.messages == expected


def test_a_system_message_in_mid_conversation_stays_there() -> None:
    turns = [{"role": role, "content": role} for role in ("user", "system", "assistant", "user")]
    assert [message.role for message in asked(*turns).messages] == ["user", "system", "assistant", "user"]


def test_an_image_travels_as_the_bytes_it_is() -> None:
    (message,) = asked(user(IMAGE, text("what?"))).messages
    assert message == Message("user", "what?", images=(PIXEL,))


def test_thinking_text_and_calls_make_one_message() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "redacted_thinking", "data": "opaque"},
        text("Let me see."),
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Puno"}},
        {"type": "tool_use", "id": "toolu_2", "name": "time", "input": {}},
    ]
    calls = (ToolCall("toolu_1", "weather", {"city": "Puno"}, 0), ToolCall("toolu_2", "time", {}, 1))
    (message,) = asked({"role": "assistant", "content": blocks}).messages
    assert message == Message("assistant", "Let me see.", "hm", tool_calls=calls)


def test_tool_results_come_before_what_the_user_says() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    results = user(
        text("Go on."),
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"},
        {"type": "tool_result", "tool_use_id": "toolu_9", "content": [text("a "), IMAGE, text("b")], "is_error": True},
        {"type": "tool_result", "tool_use_id": "toolu_8"},
    )
    _, *messages = asked({"role": "assistant", "content": [call]}, results).messages
    assert messages == [
        Message("tool", "sunny", tool_name="weather", tool_call_id="toolu_1"),
        Message("tool", "a b", images=(PIXEL,), tool_call_id="toolu_9"),
        Message("tool", "", tool_call_id="toolu_8"),
        Message("user", "Go on."),
    ]


def test_sampling_is_only_what_was_given() -> None:
    assert asked().options == {"num_predict": 8}
    given = asked(temperature=0, top_p=0.5, top_k=3, stop_sequences=["a", "b"])
    assert given.options == {"num_predict": 8, "temperature": 0, "top_p": 0.5, "top_k": 3, "stop": ["a", "b"]}
    assert asked(temperature=None, stop_sequences=None, tools=None, system=None, thinking=None).options == {
        "num_predict": 8
    }


@pytest.mark.parametrize(
    ("fields", "think"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, True),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, False),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "max"),
        ({"output_config": {"effort": "XHigh"}}, "high"),
        ({"output_config": {"effort": "enormous"}}, None),
    ],
)
def test_thinking_and_effort(fields: dict[str, Any], think: bool | str | None) -> None:
    assert asked(**fields).think == think


def test_a_format_is_a_schema() -> None:
    assert asked(output_config={"format": {"type": "json_schema", "schema": SCHEMA}}).format == SCHEMA
    assert asked(output_config={"format": None}).format is None


def test_tools_keep_the_whole_schema() -> None:
    (tool,) = asked(tools=[{**WEATHER, "type": "custom", "cache_control": {"type": "ephemeral"}}]).tools
    function = {"name": "weather", "description": "The weather of a city.", "parameters": SCHEMA}
    assert tool == {"type": "function", "function": function}


@pytest.mark.parametrize(
    ("choice", "must_call", "parallel"),
    [
        (None, (), True),
        ({"type": "auto"}, (), True),
        ({"type": "auto", "disable_parallel_tool_use": True}, (), False),
        ({"type": "any"}, ("weather", "time"), True),
        ({"type": "any", "disable_parallel_tool_use": True}, ("weather", "time"), False),
        ({"type": "tool", "name": "time"}, ("time",), True),
    ],
)
def test_tool_choice(choice: Any, must_call: tuple[str, ...], parallel: bool) -> None:
    request = asked(tools=[WEATHER, TIME], tool_choice=choice)
    assert len(request.tools) == 2
    assert (tuple(request.must_call), request.parallel_tool_calls) == (must_call, parallel)


def test_tool_choice_none_offers_no_tools() -> None:
    request = asked(tools=[WEATHER], tool_choice={"type": "none"})
    assert (tuple(request.tools), tuple(request.must_call)) == ((), ())


def test_what_has_no_effect_here_is_accepted() -> None:
    idle = {
        "metadata": {"user_id": "u"},
        "service_tier": "auto",
        "cache_control": {"type": "ephemeral"},
        "context_management": {"edits": []},
        "inference_geo": "eu",
        "unheard_of": 1,
    }
    assert asked(**idle) == asked()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": ""}, "model is required"),
        ({"max_tokens": 0}, "max_tokens is required and must be positive"),
        ({"max_tokens": None}, "max_tokens is required and must be positive"),
        ({"messages": []}, "messages is required"),
        ({"container": "c"}, "container is not supported"),
        ({"mcp_servers": [{}]}, "mcp_servers is not supported"),
        ({"thinking": {"type": "between_tools"}}, 'thinking.type "between_tools" is not supported'),
        ({"system": [IMAGE]}, 'system: blocks of type "image" are not supported here'),
        ({"tool_choice": {"type": "any"}}, 'tool_choice of type "any" needs tools'),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, 'tool_choice names the tool "x"'),
        ({"tools": [WEATHER], "tool_choice": {"type": "every"}}, "json: field tool_choice.type"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name is required"),
        ({"tools": [WEATHER, {"name": "w", "input_schema": 1}]}, 'invalid input_schema for tool "w": '),
        ({"tools": [{"name": "w"}]}, 'invalid input_schema for tool "w": '),
        ({"tools": [{"name": "w", "input_schema": {"required": "x"}}]}, 'invalid input_schema for tool "w": '),
        ({"tools": [{"type": "web_search_20250305", "name": "s"}]}, 'tools.0: tools of type "web_search_20250305" are'),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema is required"),
        ({"output_config": {"format": {"type": "xml"}}}, "json: field output_config.format.type"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    assert refused(**fields).startswith(message)


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        ({"role": "tool", "content": "x"}, 'messages.0.role must be "user", "assistant" or "system"'),
        ({"role": "user", "content": 7}, "content must be a text or a list of content blocks"),
        (user({"type": "document", "source": {}}), 'messages.0.content: blocks of type "document" are not supported'),
        (user({"type": "tool_use", "id": "i", "name": "n"}), 'messages.0.content: blocks of type "tool_use" are not'),
        (user({"type": "image"}), "invalid image source"),
        (
            user({"type": "image", "source": {"type": "file"}}),
            "invalid image source type: file. Only base64 images are",
        ),
        (
            user({"type": "image", "source": {"type": "base64", "data": "%"}}),
            "invalid image source: its data must be base64",
        ),
        (user({"type": "tool_result", "content": 7}), "messages.0.content.0.content must be a text or a list"),
        (user({"type": "tool_result", "content": [{"type": "document"}]}), "messages.0.content.0.content: blocks of"),
        (
            {"role": "assistant", "content": [{"type": "tool_use", "name": "n"}]},
            "tool_use block missing required 'id' field",
        ),
        (
            {"role": "assistant", "content": [{"type": "tool_use", "id": "n"}]},
            "tool_use block missing required 'name' field",
        ),
        (
            {"role": "assistant", "content": [IMAGE]},
            'messages.0.content: blocks of type "image" are not supported here',
        ),
        (
            {"role": "assistant", "content": [{"type": "server_tool_use"}]},
            'messages.0.content: blocks of type "server_',
        ),
    ],
)
def test_blocks_that_would_change_the_question_are_refused_by_name(turn: dict[str, Any], message: str) -> None:
    assert refused(turn).startswith(message)
