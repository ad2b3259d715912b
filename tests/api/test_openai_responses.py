"""`POST /v1/responses` as the unmodified `openai` SDK and plain HTTP see it (contract ollama-http §6.6).

The tiny models write random words. Where one has to say something in particular, a schema leaves it no other words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from tests.api.addresses import uncalled
from tests.servers import Answer, Server

TURN = {"temperature": 0, "max_output_tokens": 8}
PNG = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"enum": ["Puno", "Cusco"], "type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
CLOCK = {"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}, "strict": True}
TRAVEL = {"type": "namespace", "name": "travel", "description": "For travellers.", "tools": [WEATHER]}
GO_TOOLS = (
    "{{ if .Tools }}TOOLS {{ range .Tools }}{{ json . }}{{ end }}{{ end }}"
    "{{ range .Messages }}<{{ .Role }}>{{ .Content }}"
    '{{ if .ToolCalls }}[{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}'
    "{{ end }}]{{ end }}{{ end }}"
)
GO_THINKING = (
    '{{ range .Messages }}{{ if eq .Role "assistant" }}<think>{{ .Thinking }}e{{ end }}{{ .Content }}{{ end }}'
    "{{ if .Think }}<think>{{ end }}"
)
KEYS = [
    "id", "object", "created_at", "completed_at", "status", "incomplete_details", "model", "previous_response_id",
    "instructions", "output", "error", "tools", "tool_choice", "truncation", "parallel_tool_calls", "text", "top_p",
    "presence_penalty", "frequency_penalty", "top_logprobs", "temperature", "reasoning", "usage", "max_output_tokens",
    "max_tool_calls", "store", "background", "service_tier", "metadata", "safety_identifier", "prompt_cache_key",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def models(server: Server) -> None:
    made: list[dict[str, Any]] = [
        {"model": "answers-calls", "template": GO_TOOLS},
        {"model": "answers-thinking", "template": GO_THINKING},
        {"model": "answers-pondering", "template": GO_THINKING.replace(" }}e{{ ", " }}</think>{{ ")},
        {"model": "answers-short", "parameters": {"num_ctx": 256}},
    ]
    for fields in made:
        created = server.post("/api/create", {"from": "M", "stream": False, **fields})
        assert created.json == {"status": "success"}


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as sdk:
        yield sdk


def send(server: Server, content: Any = "hi", *, model: str = "M", **fields: Any) -> Answer:
    return server.post("/v1/responses", {"model": model, "input": content, **TURN, **fields})


def events(answer: Answer) -> list[dict[str, Any]]:
    """The data of a stream; each event's own line must name its type."""
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream"), answer.body
    found = []
    for block in answer.body.decode().removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert all(list(event)[:2] == ["type", "sequence_number"] for event in found)
    return found


def types(found: list[dict[str, Any]]) -> list[str]:
    """The events in order, repeated deltas once."""
    names = [event["type"].removeprefix("response.") for event in found]
    return [name for number, name in enumerate(names) if number == 0 or name != names[number - 1]]


def refusal(answer: Answer) -> tuple[str, Any]:
    assert answer.status == 400, answer.body
    error = answer.json["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert error["type"] == "invalid_request_error"
    return error["message"], error["param"]


def calling(*cities: str) -> dict[str, Any]:
    """The only text that fits is a list of calls of `weather`."""
    calls = [
        {
            "type": "object",
            "properties": {"name": {"const": "weather"}, "arguments": {"const": {"city": city}}},
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for city in cities
    ]
    schema = {"type": "array", "prefixItems": calls, "items": False, "minItems": len(calls), "maxItems": len(calls)}
    return {"text": {"format": {"type": "json_schema", "name": "calls", "schema": schema}}, "max_output_tokens": 200}


def saying(text: str) -> dict[str, Any]:
    schema = {"type": "json_schema", "name": "words", "schema": {"const": text}}
    return {"text": {"format": schema}, "max_output_tokens": 50}


# Text.


def test_the_sdk_gets_an_answer(client: OpenAI) -> None:
    response = client.responses.create(model="M", input="hi", temperature=0, max_output_tokens=8)
    assert (response.status, response.model, response.object) == ("completed", "M", "response")
    assert response.output_text
    assert [item.type for item in response.output] == ["message"]
    usage = response.usage
    assert usage is not None
    assert usage.output_tokens == 8
    assert usage.total_tokens == usage.input_tokens + 8


def test_the_whole_object(server: Server) -> None:
    answer = send(server, instructions="Be brief.", metadata={"a": "b"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.body.endswith(b"}\n")
    found = answer.json
    assert list(found) == KEYS
    assert found["id"].removeprefix("resp_").isdecimal()
    assert found["completed_at"] >= found["created_at"] > 1_700_000_000
    message = found["output"][0]
    assert list(message) == ["id", "type", "status", "role", "content"]
    assert message["content"] == [
        {"type": "output_text", "text": message["content"][0]["text"], "annotations": [], "logprobs": []}
    ]
    usage = found["usage"]
    assert list(usage) == [
        "input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details", "total_tokens"
    ]  # fmt: skip
    assert usage["output_tokens_details"] == {"reasoning_tokens": 0}
    told = {key: found[key] for key in ("status", "instructions", "tools", "tool_choice", "truncation", "metadata")}
    assert told == {
        "status": "completed",
        "instructions": "Be brief.",
        "tools": [],
        "tool_choice": "auto",
        "truncation": "auto",
        "metadata": {"a": "b"},
    }
    assert (found["temperature"], found["top_p"], found["max_output_tokens"]) == (0, None, 8)
    assert (found["store"], found["background"], found["text"]) == (False, False, {"format": {"type": "text"}})


def test_the_cached_part_of_the_prompt_is_told(server: Server) -> None:
    long = "The cached part " * 20
    send(server, long)
    usage = send(server, long).json["usage"]
    assert usage["input_tokens"] > usage["input_tokens_details"]["cached_tokens"] > 40


def test_an_answer_that_was_cut_is_completed_for_the_sdks_sake(client: OpenAI) -> None:
    with client.responses.stream(model="M", input="hi", max_output_tokens=2) as stream:
        response = stream.get_final_response()  # raises without `response.completed`
    assert (response.status, response.incomplete_details) == ("completed", None)
    assert response.usage is not None
    assert response.usage.output_tokens == 2


def test_the_events_of_a_text(server: Server) -> None:
    found = events(send(server, stream=True))
    assert types(found) == [
        "created", "in_progress",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done", "completed",
    ]  # fmt: skip
    by_type = {event["type"].removeprefix("response."): event for event in found}
    begun = by_type["created"]["response"]
    assert list(begun) == KEYS
    assert (begun["status"], begun["output"], begun["usage"]) == ("in_progress", [], None)
    text = "".join(event["delta"] for event in found if event["type"] == "response.output_text.delta")
    whole = by_type["completed"]["response"]
    assert whole["id"] == begun["id"]
    assert whole["output"] == [by_type["output_item.done"]["item"]]
    assert text == by_type["output_text.done"]["text"] == whole["output"][0]["content"][0]["text"] != ""
    assert whole["output"][0]["id"] == by_type["output_text.delta"]["item_id"]
    assert text == send(server).json["output"][0]["content"][0]["text"]


def test_the_sdk_reads_the_stream(client: OpenAI) -> None:
    stream = client.responses.create(model="M", input="hi", temperature=0, max_output_tokens=8, stream=True)
    text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
    with client.responses.stream(model="M", input="hi", temperature=0, max_output_tokens=8) as managed:
        deltas = [event for event in managed if event.type == "response.output_text.delta"]
        final = managed.get_final_response()
    assert deltas[-1].snapshot == final.output_text == text


def test_many_turns_reach_the_model(client: OpenAI) -> None:
    one = client.responses.create(model="M", input="hi", temperature=0, max_output_tokens=4)
    turns: list[Any] = [{"role": "user", "content": "hi"}, *[item.to_dict() for item in one.output]]
    two = client.responses.create(model="M", input=[*turns, {"role": "user", "content": "and?"}], max_output_tokens=4)
    assert one.usage is not None
    assert two.usage is not None
    assert two.usage.input_tokens > one.usage.input_tokens + 4


def test_logprobs_come_where_they_are_asked_for(client: OpenAI) -> None:
    response = client.responses.create(
        model="M", input="hi", max_output_tokens=4, top_logprobs=2, include=["message.output_text.logprobs"]
    )
    part = response.output[0].content[0]
    logprobs = part.logprobs
    assert logprobs is not None
    assert [len(entry.top_logprobs) for entry in logprobs] == [2] * 4
    assert bytes(logprobs[0].bytes).decode() == logprobs[0].token


# A schema.


class Trip(BaseModel):
    city: Literal["Puno"]
    days: Literal[3]


def test_the_sdk_parses_an_answer_by_a_schema(client: OpenAI) -> None:
    response = client.responses.parse(model="answers-calls", input="hi", text_format=Trip, max_output_tokens=60)
    assert response.output_parsed == Trip(city="Puno", days=3)
    with client.responses.stream(model="answers-calls", input="hi", text_format=Trip, max_output_tokens=60) as stream:
        assert stream.get_final_response().output_parsed == Trip(city="Puno", days=3)


def test_json_of_any_shape(server: Server) -> None:
    answer = send(server, text={"format": {"type": "json_object"}}, max_output_tokens=20).json
    assert answer["output"][0]["content"][0]["text"].startswith("{")


@pytest.mark.parametrize(
    ("format_", "param"),
    [({"type": "grammar"}, "text.format.type"), ({}, "text.format.type"),
     ({"type": "json_schema"}, "text.format.schema"), ({"type": "json_schema", "schema": 3}, "text.format.schema")],
)  # fmt: skip
def test_formats_that_are_none(server: Server, format_: Any, param: str) -> None:
    assert refusal(send(server, text={"format": format_}))[1] == param


# Functions.


@pytest.mark.parametrize("model", ["M", "tools", "answers-calls"])
def test_a_forced_call_and_its_round_trip(client: OpenAI, model: str) -> None:
    turns: list[Any] = [{"role": "user", "content": "Weather in Puno?"}]
    first = client.responses.create(
        model=model, input=turns, tools=[WEATHER], tool_choice="required", max_output_tokens=100
    )
    [call] = first.output
    assert call.type == "function_call"
    assert (call.name, call.status) == ("weather", "completed")
    assert json.loads(call.arguments)["city"] in ("Puno", "Cusco")
    turns += [call.to_dict(), {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    second = client.responses.create(model=model, input=turns, max_output_tokens=8)
    assert [item.type for item in second.output] == ["message"]


def test_the_events_of_calls(server: Server) -> None:
    found = events(send(server, model="answers-calls", tools=[WEATHER], stream=True, **calling("Puno", "Cusco")))
    each = [
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"
    ]  # fmt: skip
    assert types(found) == ["created", "in_progress", *each, *each, "completed"]
    added, delta, done, finished = found[2:6]
    assert list(finished["item"]) == ["id", "type", "status", "call_id", "name", "arguments"]
    assert (added["item"]["arguments"], added["item"]["status"]) == ("", "in_progress")
    assert json.loads(delta["delta"]) == json.loads(done["arguments"]) == {"city": "Puno"}
    assert [event["output_index"] for event in found[2:10]] == [0] * 4 + [1] * 4
    items = found[-1]["response"]["output"]
    assert items == [finished["item"], found[9]["item"]]
    assert items[0]["call_id"] != items[1]["call_id"]


def test_the_sdk_reads_calls_from_a_stream(client: OpenAI) -> None:
    with client.responses.stream(
        model="M", input="hi", tools=[WEATHER], tool_choice="required", max_output_tokens=100
    ) as stream:
        [call] = stream.get_final_response().output
    assert call.type == "function_call"
    assert call.parsed_arguments["city"] in ("Puno", "Cusco")


def test_one_call_at_most_where_that_is_asked_for(server: Server) -> None:
    body = {"tools": [WEATHER], **calling("Puno", "Cusco")}
    assert len(send(server, model="answers-calls", **body).json["output"]) == 2
    answer = send(server, model="answers-calls", parallel_tool_calls=False, **body).json
    assert [item["arguments"] for item in answer["output"]] == ['{"city":"Puno"}']
    assert answer["parallel_tool_calls"] is False


def test_members_of_a_name_space_keep_both_names(client: OpenAI) -> None:
    """Agents look a call up by name space and name; the model knows it by one name."""
    tools: Any = [TRAVEL, CLOCK]
    for choice in ({"type": "function", "name": "weather"}, {"type": "function", "name": "travel.weather"}):
        response = client.responses.parse(model="M", input="hi", tools=tools, tool_choice=choice, max_output_tokens=100)
        [call] = response.output
        assert call.type == "function_call"
        assert (call.namespace, call.name) == ("travel", "weather")
        assert call.parsed_arguments["city"] in ("Puno", "Cusco")
    said = {"type": "function_call", "call_id": "c", "namespace": "travel", "name": "weather", "arguments": "{}"}
    output = [{"type": "input_text", "text": "sunny"}]
    turns: list[Any] = [said, {"type": "function_call_output", "call_id": "c", "output": output}]
    assert client.responses.create(model="tools", input=turns, tools=tools, max_output_tokens=4).output


@pytest.mark.parametrize(
    ("choice", "name"),
    [({"type": "function", "name": "clock"}, "clock"),
     ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "clock"}]}, "clock")],
)  # fmt: skip
def test_the_function_that_was_chosen_is_called(server: Server, choice: Any, name: str) -> None:
    answer = send(server, tools=[WEATHER, CLOCK], tool_choice=choice, max_output_tokens=100).json
    assert [item.get("name") for item in answer["output"]] == [name]
    assert answer["tool_choice"] == choice


def test_no_function_is_called_where_none_may_be(server: Server) -> None:
    body = {"tools": [WEATHER], **calling("Puno")}
    assert send(server, model="answers-calls", **body).json["output"][0]["type"] == "function_call"
    answer = send(server, model="answers-calls", tool_choice="none", **body).json
    assert answer["output"][0]["type"] == "message"
    assert send(server, tools=[WEATHER], tool_choice="none").status == 200  # the model knows no tools


def test_tools_on_a_model_without_are_refused_by_name(server: Server) -> None:
    message, _ = refusal(send(server, tools=[WEATHER]))
    assert message == "registry.ollama.ai/library/M:latest does not support tools"


def test_tools_of_hosted_services_are_left_out_and_named(server: Server) -> None:
    """Coding agents always send them; refused, no such agent could talk to this server."""
    tools = [WEATHER, {"type": "web_search"}, {"type": "custom", "name": "apply_patch"}, {"type": "web_search"}]
    for stream in (False, True):
        answer = send(server, model="tools", tools=tools, stream=stream)
        assert answer.headers["x-puna-ignored-tools"] == "web_search, custom"
        whole = events(answer)[-1]["response"] if stream else answer.json
        assert whole["tools"] == [WEATHER]
    assert "x-puna-ignored-tools" not in send(server, model="tools", tools=[WEATHER]).headers


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"tool_choice": "required"}, "tool_choice"), ({"tool_choice": "sometimes"}, "tool_choice"),
     ({"tool_choice": {"type": "web_search"}, "tools": [{"type": "web_search"}]}, "tool_choice"),
     ({"tool_choice": {"type": "function", "name": "nope"}, "tools": [WEATHER]}, "tool_choice"),
     ({"tool_choice": {"type": "function"}, "tools": [WEATHER]}, "tool_choice"),
     ({"tools": [{}]}, "tools[0].type"), ({"tools": [{"type": "a\r\nb: c"}]}, "tools[0].type"),
     ({"tools": [{"type": "function"}]}, "tools[0].name"), ({"tools": [{"type": "namespace"}]}, "tools[0].name"),
     ({"tools": [{"type": "namespace", "name": "n"}]}, "tools[0].tools"),
     ({"tools": [{"type": "namespace", "name": "n", "tools": [3]}]}, "tools[0].tools[0].type"),
     ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]}, "tools[0].tools[0].name")],
)  # fmt: skip
def test_tools_and_choices_that_make_no_sense(server: Server, fields: dict[str, Any], param: str) -> None:
    assert refusal(send(server, **fields))[1] == param


# Reasoning.


def test_reasoning_is_an_item_of_its_own(server: Server) -> None:
    """The model's thought ends at its first `e`; the schema forces the answer after it."""
    body = {**saying("ok"), "temperature": 0}
    found = events(send(server, model="answers-thinking", stream=True, **body))
    assert [kind for kind, _ in groupby(types(found))] == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_text.delta", "reasoning_summary_text.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "output_item.done", "completed",
    ]  # fmt: skip
    for output in (found[-1]["response"]["output"], send(server, model="answers-thinking", **body).json["output"]):
        reasoning, message = output
        assert list(reasoning) == ["id", "type", "summary", "encrypted_content"]
        thought = reasoning["encrypted_content"]
        assert thought != ""
        assert "e" not in thought
        assert reasoning["summary"] == [{"type": "summary_text", "text": thought}]
        assert message["content"][0]["text"] == '"ok"'


def test_nothing_but_reasoning_ends_with_an_empty_message(client: OpenAI) -> None:
    response = client.responses.create(model="answers-pondering", input="hi", max_output_tokens=4)
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output_text == ""


def test_the_effort_is_honoured_or_refused(server: Server) -> None:
    answer = send(server, model="answers-thinking", reasoning={"effort": "none"}).json
    assert ([item["type"] for item in answer["output"]], answer["reasoning"]["effort"]) == (["message"], "none")
    assert refusal(send(server, reasoning={"effort": "high"}))[0] == '"M" does not support thinking'
    message, param = refusal(send(server, reasoning={"effort": "very"}))
    assert (message.startswith('invalid reasoning value: "very"'), param) == (True, "reasoning.effort")


# What does not fit.


def test_a_prompt_that_is_cut_is_told_by_how_much(server: Server) -> None:
    long = "grass " * 800
    for fields in ({}, {"truncation": "auto"}):
        answer = send(server, long, model="answers-short", **fields)
        dropped = int(answer.headers["x-puna-dropped-tokens"])
        usage = answer.json["usage"]
        assert usage["puna_dropped_tokens"] == dropped > 500
        streamed = send(server, long, model="answers-short", stream=True, **fields)
        assert int(streamed.headers["x-puna-dropped-tokens"]) == dropped
        assert events(streamed)[-1]["response"]["usage"]["puna_dropped_tokens"] == dropped
    fitting = send(server, model="answers-short")
    assert "x-puna-dropped-tokens" not in fitting.headers
    assert "puna_dropped_tokens" not in fitting.json["usage"]


def test_a_prompt_that_does_not_fit_is_refused_where_that_is_asked_for(client: OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match="context"):
            client.responses.create(model="answers-short", input="grass " * 800, truncation="disabled", stream=stream)
    response = client.responses.create(model="answers-short", input="hi", truncation="disabled", max_output_tokens=2)
    assert response.truncation == "disabled"


# Refusals.


@pytest.mark.parametrize(
    ("field", "value"),
    [("previous_response_id", "resp_1"), ("conversation", "conv_1"), ("conversation", {"id": "conv_1"}),
     ("background", True), ("prompt", {"id": "pmpt_1"})],
)  # fmt: skip
def test_what_would_lose_a_conversation_is_refused_by_name(client: OpenAI, field: str, value: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="M", input="hi", extra_body={field: value})
    assert caught.value.param == field
    assert field in caught.value.message


def test_what_loses_nothing_is_accepted(client: OpenAI) -> None:
    response = client.responses.create(
        model="M",
        input="hi",
        max_output_tokens=2,
        store=True,
        background=False,
        service_tier="auto",
        user="me",
        safety_identifier="me",
        prompt_cache_key="me",
        max_tool_calls=3,
        include=["reasoning.encrypted_content"],
        stream_options={"include_obfuscation": False},
        text={"verbosity": "medium"},
        extra_body={"previous_response_id": None, "conversation": None, "nonsense": 1},
    )
    assert response.store is False


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"truncation": "some"}, "truncation"), ({"temperature": "hot"}, "temperature"), ({"top_p": 2}, "top_p"),
     ({"top_logprobs": 21}, "top_logprobs"), ({"text": {"verbosity": "low"}}, "text.verbosity"),
     ({"tools": {}}, "tools"), ({"max_output_tokens": 1.5}, "max_output_tokens"), ({"stream": "yes"}, "stream")],
)  # fmt: skip
def test_values_that_a_field_cannot_have(server: Server, fields: dict[str, Any], param: str) -> None:
    assert refusal(send(server, **fields))[1] == param


@pytest.mark.parametrize(
    ("item", "message", "param"),
    [({"type": "x"}, 'input[1]: unknown input item type: "x"', "input[1]"),
     ({}, "input[1]: input item missing required 'type' field", "input[1]"),
     ({"role": "user", "content": [{"type": "input_file", "file_id": "f"}]},
      "file inputs are not currently supported", "input[1].content[0]"),
     ({"role": "user", "content": [{"type": "input_image", "file_id": "f"}]},
      "file inputs are not currently supported", "input[1].content[0]"),
     ({"role": "user", "content": [{"type": "video"}]},
      'input[1].content[0]: unknown content type: "video"', "input[1].content[0]"),
     ({"type": "function_call", "name": "f", "call_id": "c", "arguments": "{"},
      "invalid tool call arguments", "input[1].arguments"),
     ({"type": "function_call", "name": "f", "call_id": "c", "arguments": "3"},
      "invalid tool call arguments", "input[1].arguments")],
)  # fmt: skip
def test_input_that_cannot_be_read(server: Server, item: Any, message: str, param: str) -> None:
    assert refusal(send(server, [{"role": "user", "content": "hi"}, item])) == (message, param)


@pytest.mark.parametrize("content", [3, [3], {"a": 1}, [{"role": 3}], [{"role": "user", "content": 3}]])
def test_input_of_a_wrong_shape_is_a_400(server: Server, content: Any) -> None:
    message, param = refusal(send(server, content))
    assert param.startswith("input")
    assert message


def test_no_input_at_all(server: Server) -> None:
    for nothing in (None, []):
        assert refusal(send(server, nothing)) == ("input is required", "input")
    assert send(server, None, instructions="Say something.").status == 200


def test_no_model_and_no_body(client: OpenAI, server: Server) -> None:
    with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
        client.responses.create(model="nope", input="hi")
    assert refusal(send(server, model=""))[0] == "model is required"
    assert refusal(server.post("/v1/responses", b"")) == ("EOF", None)
    assert refusal(send(server, model="E"))[0] == '"E" does not support chat'


def test_a_failure_in_mid_stream_is_an_error_of_the_sdk(tmp_path: Path, tiny_llama: Path) -> None:
    with Server(tmp_path / "models", tmp_path / "home") as crashing:
        crashing.create("M", tiny_llama)
        with OpenAI(base_url=f"{crashing.url}/v1", api_key="none", max_retries=0) as client:
            stream = client.responses.create(model="M", input="grass", max_output_tokens=4000, stream=True)
            assert next(iter(stream)).type == "response.created"
            for runner in crashing.runners():
                runner.kill()
            with pytest.raises(openai.APIError, match="model runner has unexpectedly stopped"):
                list(stream)
            assert client.responses.create(model="M", input="hi", max_output_tokens=2).output_text


# Images.


def test_an_image_needs_a_model_that_sees(server: Server) -> None:
    image = {"type": "input_image", "image_url": PNG, "detail": "auto"}
    message, _ = refusal(send(server, [{"role": "user", "content": [image]}]))
    assert message == "registry.ollama.ai/library/M:latest does not support vision"


def test_T07_an_address_of_an_image_is_refused_and_never_called(server: Server) -> None:
    with uncalled() as addresses:
        for address in addresses:
            image = {"type": "input_image", "image_url": address}
            turns = [
                {"role": "user", "content": [image]},
                {"type": "function_call_output", "call_id": "c", "output": [image]},
            ]
            for turn in turns:
                message, param = refusal(send(server, [turn]))
                assert message in (
                    "image URLs are not currently supported, please use base64 encoded data instead",
                    "invalid image input",
                )
                assert param.endswith(".image_url")


def test_T07_an_address_in_text_is_text(server: Server) -> None:
    with uncalled() as addresses:
        for address in addresses:
            link = f"![x]({address})"
            turns = [
                {"role": "user", "content": link},
                {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": link},
            ]
            assert send(server, turns, model="tools", instructions=link, max_output_tokens=1).status == 200
