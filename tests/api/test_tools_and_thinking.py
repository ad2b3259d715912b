"""Tools and reasoning on `/api/chat` and `/api/generate` (contract ollama-http §4.8, §4.9).

The tiny models write random words. Where one has to say something in particular, `format` leaves it no other words.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests import tiny_models
from tests.servers import Answer, Server

HI = [{"role": "user", "content": "hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "its name", "format": "dropped"}},
            "required": ["city"],
        },
    },
}
CALL = {"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Puno"}}}
HISTORY = [
    *HI,
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "sunny", "tool_name": "weather"},
]
GO_TOOLS = (
    "{{ if .Tools }}TOOLS {{ range .Tools }}{{ json . }}{{ end }}{{ end }}"
    "{{ range .Messages }}<{{ .Role }}>{{ .Content }}"
    '{{ if .ToolCalls }}[{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}'
    '{{ end }}]{{ end }}{{ if eq .Role "tool" }} from {{ .ToolName }}{{ end }}{{ end }}'
)
GO_THINKING = (
    '{{ range .Messages }}{{ if eq .Role "assistant" }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}{{ end }}'
    "{{ if .Think }}level={{ .ThinkLevel }}<think>{{ end }}"
)
GO_MURMURING = GO_THINKING.replace("</think>", "e")
TEMPLATES = (("go-tools", "M", GO_TOOLS), ("go-thinks", "M", GO_THINKING), ("go-murmurs", "M", GO_MURMURING))
JINJA_THINKING = tiny_models.THINKING_TEMPLATE.rstrip().removesuffix("{%- endif %}") + (
    "{%- if enable_thinking is not defined or enable_thinking %}{{- '<think>\\n' }}{%- endif %}\n{%- endif %}\n"
)


@pytest.fixture(scope="module", autouse=True)
def models(server: Server) -> None:
    for name, base, template in TEMPLATES:
        created = server.post("/api/create", {"model": name, "from": base, "template": template, "stream": False})
        assert created.json == {"status": "success"}
    weights = tiny_models.tiny_llama(tiny_models.cache_folder(), name="tiny-open-thinker", chat_template=JINJA_THINKING)
    server.create("jinja-thinks", weights)


def chat(server: Server, model: str, messages: list[Any] = HI, **fields: Any) -> Answer:
    body = {"model": model, "messages": messages, "stream": False, "options": {"num_predict": 8, "seed": 1}}
    return server.post("/api/chat", {**body, **fields})


def rendered(server: Server, model: str, messages: list[Any] = HI, **fields: Any) -> str:
    answer = chat(server, model, messages, _debug_render_only=True, **fields)
    assert answer.status == 200, answer.body
    return str(answer.json["_debug_info"]["rendered_template"])


def test_tools_on_a_model_without_are_refused_by_name(server: Server) -> None:
    answer = chat(server, "M", tools=[WEATHER])
    assert (answer.status, answer.json) == (
        400,
        {"error": "registry.ollama.ai/library/M:latest does not support tools"},
    )
    assert chat(server, "M", tools=[]).status == 200
    assert chat(server, "M", tools=None).status == 200


@pytest.mark.parametrize("model", ["tools", "go-tools"])
def test_the_model_sees_tools_calls_and_results(server: Server, model: str) -> None:
    assert "tools" in server.post("/api/show", {"model": model}).json["capabilities"]
    text = rendered(server, model, HISTORY, tools=[WEATHER])
    assert re.search(r'"name": ?"weather"', text)
    assert "The weather of a city." in text
    assert "its name" in text
    assert "dropped" not in text  # §4.9: keywords that templates do not know
    assert re.search(r'\{"name": "weather", "arguments": \{"city": ?"Puno"\}\}', text)
    assert "sunny" in text
    assert "weather" not in rendered(server, model)


def test_arguments_keep_their_order_in_a_jinja_template(server: Server) -> None:
    call = {"function": {"name": "weather", "arguments": {"z": 1, "a": {"y": [1, "x"], "b": None}}}}
    history = [*HI, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "content": "sunny"}]
    text = rendered(server, "tools", history, tools=[WEATHER])
    assert '"arguments": {"z": 1, "a": {"y": [1, "x"], "b": null}}' in text


@pytest.mark.parametrize(
    "tools",
    [[1], "x", {"a": 1}, [{}], [{"function": {}}], [{"function": {"name": 1}}], [{"function": []}],
     [{"function": {"name": "x", "parameters": {"required": "city"}}}],
     [{"function": {"name": "x", "parameters": {"required": [1]}}}],
     [{"function": {"name": "x", "parameters": {"properties": {"a": 3}}}}],
     [{"function": {"name": "x", "parameters": {"properties": {"a": {"type": 3}}}}}]],
)  # fmt: skip
def test_tools_of_a_wrong_shape_are_a_400(server: Server, tools: Any) -> None:
    for model in ("tools", "go-tools"):
        answer = chat(server, model, tools=tools)
        assert (answer.status, "tools" in answer.json["error"]) == (400, True), answer.body


@pytest.mark.parametrize(
    "message",
    [{"tool_calls": [{"function": {"name": "x", "arguments": "{}"}}]}, {"tool_calls": [1]}, {"tool_calls": {"a": 1}},
     {"tool_calls": [{"function": 3}]}, {"content": ["x"]}, {"content": 3}, {"images": "x"}, {"thinking": 1}],
)  # fmt: skip
def test_messages_of_a_wrong_shape_are_a_400(server: Server, message: dict[str, Any]) -> None:
    assert chat(server, "tools", [*HI, {"role": "assistant", **message}]).status == 400


def test_a_message_of_nulls_is_an_empty_one(server: Server) -> None:
    nulls = dict.fromkeys(("content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"))
    assert chat(server, "tools", [*HI, {"role": "assistant", **nulls}, *HI]).status == 200


def _schema(cities: list[str]) -> dict[str, Any]:
    """The only JSON that fits is a list of calls of `weather`, one per city."""
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": "weather"},
                "arguments": {
                    "type": "object",
                    "properties": {"city": {"const": city}},
                    "required": ["city"],
                    "additionalProperties": False,
                },
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for city in cities
    ]
    return {"type": "array", "prefixItems": calls, "items": False, "minItems": len(calls), "maxItems": len(calls)}


CALLING = {"tools": [WEATHER], "format": _schema(["Puno", "Cusco"]), "options": {"num_predict": 200, "seed": 1}}


def _check_calls(calls: list[Any]) -> None:
    assert [list(call) for call in calls] == [["id", "function"]] * 2
    assert [list(call["function"]) for call in calls] == [["index", "name", "arguments"]] * 2
    assert [call["function"]["arguments"] for call in calls] == [{"city": "Puno"}, {"city": "Cusco"}]
    assert [call["function"]["index"] for call in calls] == [0, 1]
    assert {call["function"]["name"] for call in calls} == {"weather"}
    assert all(re.fullmatch(r"call_[a-z0-9]{8}", call["id"]) for call in calls)
    assert calls[0]["id"] != calls[1]["id"]


def test_calls_of_the_model_are_parsed(server: Server) -> None:
    answer = chat(server, "go-tools", **CALLING).json
    assert answer["message"]["content"] == ""
    assert list(answer["message"]) == ["role", "content", "tool_calls"]
    _check_calls(answer["message"]["tool_calls"])
    assert answer["done_reason"] == "stop"


def test_calls_in_a_stream_come_whole_and_without_content(server: Server) -> None:
    lines = chat(server, "go-tools", stream=True, **CALLING).lines
    calling = [line for line in lines if "tool_calls" in line["message"]]
    assert [line["message"]["content"] for line in calling] == [""] * len(calling)
    _check_calls([call for line in calling for call in line["message"]["tool_calls"]])
    assert "".join(line["message"]["content"] for line in lines) == ""
    assert (lines[-1]["done"], lines[-1]["done_reason"]) == (True, "stop")
    assert all(line["done"] is False and "tool_calls" in line["message"] for line in lines[:-1])


def test_logprobs_are_not_lost_beside_calls(server: Server) -> None:
    lines = chat(server, "go-tools", stream=True, logprobs=True, **CALLING).lines
    entries = sum(len(line.get("logprobs", [])) for line in lines)
    assert lines[-1]["eval_count"] - 1 <= entries <= lines[-1]["eval_count"]


def test_what_is_no_call_is_content(server: Server) -> None:
    other = {**CALLING, "format": {"type": "array", "prefixItems": [{"const": {"a": 1}}], "minItems": 1, "maxItems": 1}}
    assert chat(server, "go-tools", **other).json["message"] == {"role": "assistant", "content": '[{"a": 1}]'}
    free = chat(server, "go-tools", tools=[WEATHER]).json["message"]
    assert (free["content"] != "", "tool_calls" in free) == (True, False)


def test_calls_without_tools_on_offer_are_content(server: Server) -> None:
    message = chat(server, "go-tools", **{**CALLING, "tools": []}).json["message"]
    assert message["content"].startswith('[{"name": "weather"')
    assert "tool_calls" not in message


# Reasoning.


def test_think_on_a_model_that_does_not(server: Server) -> None:
    for think in (True, "low", "high", "medium", "max"):
        for path, body in (("/api/chat", {"messages": HI}), ("/api/generate", {"prompt": "hi"}), ("/api/chat", {})):
            answer = server.post(path, {"model": "M", "think": think, **body})
            assert (answer.status, answer.json) == (400, {"error": '"M" does not support thinking'})
    for nothing in (False, None):
        assert chat(server, "M", think=nothing).status == 200


def test_values_that_think_cannot_have(server: Server) -> None:
    choices = '"high", "medium", "low", "max", true, or false'
    for model in ("M", "T"):
        answer = chat(server, model, think="very")
        assert (answer.status, answer.json["error"]) == (400, f'invalid think value: "very" (must be {choices})')
        for odd in (1, [], {}, 0.5):
            answer = chat(server, model, think=odd)
            assert (answer.status, answer.json["error"]) == (400, f"think must be a boolean or string ({choices})")


def test_the_jinja_template_learns_what_was_asked(server: Server) -> None:
    off = "<think>\n\n</think>\n\n"
    assert rendered(server, "T", think=False).endswith(off)
    for think in (True, "low", "max", None):
        assert not rendered(server, "T", think=think).endswith(off)


@pytest.mark.parametrize(
    ("think", "end"),
    [(None, "level=medium<think>"), (True, "level=medium<think>"), (False, "hi"), ("low", "level=low<think>"),
     ("high", "level=high<think>"), ("max", "level=max<think>")],
)  # fmt: skip
def test_the_go_template_learns_what_was_asked(server: Server, think: Any, end: str) -> None:
    assert rendered(server, "go-thinks", think=think).endswith(end)


def test_reasoning_of_old_answers_goes_back_to_the_template(server: Server) -> None:
    old = [*HI, {"role": "assistant", "thinking": "hm", "content": "ho"}, *HI]
    assert "<think>hm</think>ho" in rendered(server, "go-thinks", old)
    assert "<think>\nhm\n</think>\n\nho" in rendered(server, "T", old)


MURMURS = {"options": {"num_predict": 60, "seed": 1}}
CONST = {**MURMURS, "format": {"const": "hm</think>ok"}}


def test_reasoning_and_answer_are_apart(server: Server) -> None:
    """The prompt has opened the thought; the model closes it with its first `e`."""
    assert "thinking" in server.post("/api/show", {"model": "go-murmurs"}).json["capabilities"]
    message = chat(server, "go-murmurs", **MURMURS).json["message"]
    answer = server.post("/api/generate", {"model": "go-murmurs", "prompt": "hi", "stream": False, **MURMURS}).json
    for thinking, content in ((message["thinking"], message["content"]), (answer["thinking"], answer["response"])):
        assert thinking != ""
        assert "e" not in thinking
        assert content != ""
    assert list(answer)[:5] == ["model", "created_at", "response", "thinking", "done"]


def test_reasoning_and_answer_are_apart_in_a_stream(server: Server) -> None:
    messages = [line["message"] for line in chat(server, "go-murmurs", stream=True, **MURMURS).lines]
    whole = chat(server, "go-murmurs", **MURMURS).json["message"]
    assert "".join(message.get("thinking", "") for message in messages) == whole["thinking"]
    assert "".join(message["content"] for message in messages) == whole["content"]


def test_a_thought_runs_free_before_an_answer_with_a_format(server: Server) -> None:
    answer = chat(server, "go-murmurs", **CONST).json
    message = answer["message"]
    assert (message["content"], answer["done_reason"]) == ('"hm</think>ok"', "stop")
    assert message["thinking"] != ""
    assert "e" not in message["thinking"]
    assert chat(server, "go-murmurs", think=False, **CONST).json["eval_count"] < answer["eval_count"] <= 60
    lines = chat(server, "go-murmurs", stream=True, **CONST).lines
    assert "".join(line["message"].get("thinking", "") for line in lines) == message["thinking"]
    assert "".join(line["message"]["content"] for line in lines) == '"hm</think>ok"'


@pytest.mark.parametrize("model", ["go-thinks", "go-murmurs", "T", "jinja-thinks"])
def test_without_thinking_a_format_is_all_there_is(server: Server, model: str) -> None:
    message = chat(server, model, think=False, **CONST).json["message"]
    assert message == {"role": "assistant", "content": '"hm</think>ok"'}
    body = {"model": model, "prompt": "hi", "stream": False, **CONST}
    answer = server.post("/api/generate", body).json
    assert (answer["response"], "thinking" in answer) == ('"hm</think>ok"', False)


def test_a_model_that_need_not_think_goes_straight_to_its_format(server: Server) -> None:
    """T's prompt opens no thought, and its random words are none."""
    assert chat(server, "T", **CONST).json["message"] == {"role": "assistant", "content": '"hm</think>ok"'}


def test_a_thought_that_takes_all_the_tokens_leaves_no_answer(server: Server) -> None:
    answer = chat(server, "jinja-thinks", **CONST).json
    assert (answer["message"]["content"], answer["done_reason"], answer["eval_count"]) == ("", "length", 60)
    assert answer["message"]["thinking"] != ""


def test_a_format_of_a_thinking_model_is_still_checked_first(server: Server) -> None:
    for schema in ({"enum": []}, {"allOf": [{"type": "string"}, {"type": "null"}]}):
        answer = chat(server, "jinja-thinks", stream=True, format=schema)
        assert (answer.status, "invalid format" in answer.json["error"]) == (400, True)


def test_reasoning_of_a_jinja_model_is_apart_on_both_routes(server: Server) -> None:
    """Its prompt ends with `<think>`, so all that the model says in eight tokens is reasoning."""
    assert "thinking" in server.post("/api/show", {"model": "jinja-thinks"}).json["capabilities"]
    message = chat(server, "jinja-thinks").json["message"]
    assert (message["content"], message["thinking"] != "") == ("", True)
    body = {"model": "jinja-thinks", "prompt": "hi", "options": {"num_predict": 8, "seed": 1}}
    answer = server.post("/api/generate", {**body, "stream": False}).json
    assert (answer["response"], answer["thinking"] != "") == ("", True)
    long = [{"role": "user", "content": "grass " * 800}]
    cut = chat(server, "jinja-thinks", long, options={"num_ctx": 256, "num_predict": 8}).json["message"]
    assert (cut["content"], cut["thinking"] != "") == ("", True)


def test_without_thinking_a_jinja_model_answers(server: Server) -> None:
    message = chat(server, "jinja-thinks", think=False).json["message"]
    assert (message["content"] != "", "thinking" in message) == (True, False)
