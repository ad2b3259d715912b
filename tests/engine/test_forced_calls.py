"""A model that must call a tool does: one whole call that fits the tool's schema, from any model (`must_call`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import pytest_asyncio

from puna.engine.requests import ChatRequest
from puna.errors import BadRequest, FieldRefused
from puna.prompts.messages import Message, ToolCall
from tests.engine.engines import House, house

pytestmark = pytest.mark.asyncio(loop_scope="module")

GO_TOOLS = (
    "{{ if .Tools }}TOOLS {{ range .Tools }}{{ json . }}{{ end }}{{ end }}"
    "{{ range .Messages }}<{{ .Role }}>{{ .Content }}"
    '{{ if .ToolCalls }}[{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}'
    "{{ end }}]{{ end }}{{ end }}<assistant>"
)
GO_PLAIN = "{{ range .Messages }}<{{ .Role }}>{{ .Content }}{{ end }}<assistant>"
GO_PROMPT = "Q: {{ .Prompt }} A: {{ .Response }}"
GO_THINKS = '{{ range .Messages }}{{ if eq .Role "assistant" }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}{{ end }}<think>'

KNOW_TOOLS = ("tools", "go-tools")
KNOW_NONE = ("tiny", "thinker", "go-plain", "go-prompt", "go-thinks")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def models(smollm2_gguf: Path, tiny_llama: Path, tiny_tools: Path, tiny_thinker: Path) -> AsyncIterator[House]:
    weights = {"smol": smollm2_gguf, "tiny": tiny_llama, "tools": tiny_tools, "thinker": tiny_thinker}
    async with house(weights) as made:
        templates = {"go-tools": GO_TOOLS, "go-plain": GO_PLAIN, "go-prompt": GO_PROMPT, "go-thinks": GO_THINKS}
        for name, template in templates.items():
            made.add(name, tiny_llama, template=template)
        yield made


def tool(name: str, parameters: Mapping[str, Any] | None, description: str = "") -> dict[str, Any]:
    given = {} if parameters is None else {"parameters": parameters}
    return {"type": "function", "function": {"name": name, "description": description, **given}}


WEATHER = tool(
    "weather",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 12, "pattern": "^[A-Z][a-z]+$"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 14},
            "wind": {"type": "object", "properties": {"unit": {"enum": ["m/s", "knots"]}}},
        },
        "required": ["city", "unit", "days"],
    },
    "The weather of a city.",
)
PLACE = tool(
    "place",
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/place",
        "$defs": {"point": {"type": "object", "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 9}},
                            "required": ["x"], "additionalProperties": False}},
        "properties": {"at": {"$ref": "#/$defs/point"}, "seen": {"$ref": "#/properties/at"}},
        "required": ["at", "seen"],
    },
)  # fmt: skip
STOP = tool("stop", None, "End the conversation.")
TOOLS = [WEATHER, PLACE, STOP]


def ask(*names: str, tools: Any = TOOLS, say: str = "How warm is it in Cusco?", **more: Any) -> ChatRequest:
    options = {"temperature": 0, "num_predict": 400, **more.pop("options", {})}
    messages = more.pop("messages", [Message("user", say)])
    return ChatRequest(messages=messages, tools=tools, must_call=names, options=options, **more)


def check_call(call: ToolCall, tools: Any = TOOLS) -> None:
    (schema,) = [
        t["function"].get("parameters", {"maxProperties": 0}) for t in tools if t["function"]["name"] == call.name
    ]
    assert jsonschema_rs.is_valid(schema, dict(call.arguments)), call


@pytest.mark.parametrize("name", [*KNOW_TOOLS, *KNOW_NONE])
async def test_any_model_can_be_made_to_call_a_tool(models: House, name: str) -> None:
    for wanted in (["weather"], ["place"], ["stop"], ["weather", "place", "stop"]):
        told = await models.chat(name, ask(*wanted))
        calls = [call for chunk in told.chunks for call in chunk.tool_calls]
        assert [call.name in wanted for call in calls] == [True]
        check_call(calls[0])
        assert calls[0].id.startswith("call_")
        final = told.chunks[-1].final
        assert (told.text, final is not None and final.reason) == ("", "stop")


async def test_a_real_model_calls_what_was_asked_for(models: House) -> None:
    """SmolLM2's template knows no tools: it read what it may call in the system text."""
    told = await models.chat("smol", ask("weather", "stop", say="What is the weather in Cusco in celsius, for 3 days?"))
    (call,) = told.chunks[-1].tool_calls
    check_call(call)
    assert (call.name, call.arguments["city"], call.arguments["unit"]) == ("weather", "Cusco", "celsius")


@pytest.mark.parametrize("name", ["tools", "tiny", "go-plain"])
async def test_a_call_that_was_cut_is_never_half(models: House, name: str) -> None:
    told = await models.chat(name, ask("weather", options={"num_predict": 6}))
    assert not any(chunk.tool_calls for chunk in told.chunks)
    final = told.chunks[-1].final
    assert final is not None
    assert final.reason == "length"
    assert told.text.startswith('{"name": "weather"')


async def test_neither_a_stop_sequence_nor_a_format_breaks_a_call(models: House) -> None:
    odd = ask("stop", format={"type": "integer"}, options={"stop": ["{", "stop", '"']})
    for name in ("tools", "go-plain"):
        (call,) = (await models.chat(name, odd)).chunks[-1].tool_calls
        assert (call.name, call.arguments) == ("stop", {})


async def test_the_tokens_of_a_call_keep_their_logprobs(models: House) -> None:
    told = await models.chat("tiny", ask("stop", n_probs=1))
    final = told.chunks[-1].final
    assert final is not None
    assert final.output_tokens - 1 <= sum(len(chunk.logprobs) for chunk in told.chunks) <= final.output_tokens


async def rendered(models: House, name: str, request: ChatRequest) -> str:
    async with models.engine.chat(models.subject(name), request) as answer:
        assert answer.rendered is not None
        return answer.rendered


@pytest.mark.parametrize("name", KNOW_TOOLS)
async def test_a_template_that_knows_tools_shows_them_itself(models: House, name: str) -> None:
    free = ChatRequest(messages=[Message("user", "hi")], tools=TOOLS, render_only=True)
    forced = ask("weather", messages=free.messages, render_only=True)
    assert await rendered(models, name, forced) == await rendered(models, name, free)


@pytest.mark.parametrize("name", KNOW_NONE)
async def test_a_template_without_tools_shows_what_may_be_called(models: House, name: str) -> None:
    history = [
        Message("system", "Be a llama."),
        Message("user", "hi"),
        Message("assistant", tool_calls=(ToolCall("c", "weather", {"city": "Puno"}),)),
        Message("tool", "sunny", tool_name="weather"),
    ]
    text = await rendered(models, name, ask("weather", "stop", messages=history, render_only=True))
    assert "The weather of a city." in text
    assert "End the conversation." in text
    assert '"place"' not in text
    if name != "go-prompt":
        assert "Be a llama." in text
    assert '{"name": "weather", "arguments": {"city": "Puno"}}' in text
    assert "sunny" in text
    plain = ask(tools=(), messages=[Message("user", "hi")], render_only=True)
    assert "JSON" not in await rendered(models, name, plain)


async def test_unforced_tools_on_a_model_without_them_are_refused_by_name(models: House) -> None:
    with pytest.raises(BadRequest, match="does not support tools"):
        await models.chat("smol", ask())


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"type": "string"}, "must be of type object"),
        ({"properties": {"a": {"type": "array", "minItems": 10**9}}}, "repeats"),
        ({"properties": {"a": {"pattern": "(a{100}){100}"}}}, "repeats"),
        ({"properties": {"a": {"type": "nonsense"}}, "required": ["a"]}, "type must be"),
        (
            {"properties": {"a": {"enum": ["x"]}}, "required": ["a", "b"], "additionalProperties": False},
            "cannot follow",
        ),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"$ref": "https://example.org/schema"}, "nothing is fetched"),
        ({"$ref": "file:///etc/passwd"}, "nothing is fetched"),
    ],
)
@pytest.mark.parametrize("name", ["tools", "tiny", "go-plain"])
async def test_T17_parameters_that_cannot_constrain_a_call_are_refused(
    models: House, name: str, parameters: Mapping[str, Any], text: str
) -> None:
    with pytest.raises(FieldRefused, match=text) as caught:
        await models.chat(name, ask("bad", tools=[tool("bad", parameters)]))
    assert (caught.value.param, caught.value.status) == ("tools", 400)
    assert await models.chat(name, ask("stop"))  # and the engine serves the next


async def test_a_tool_that_nobody_described_cannot_be_forced(models: House) -> None:
    with pytest.raises(FieldRefused, match="no tool named 'train'") as caught:
        await models.chat("tools", ask("weather", "train"))
    assert caught.value.param == "tool_choice"


def one(value: object) -> dict[str, Any]:
    return {"type": "array", "prefixItems": [{"const": value}] * 2, "items": False, "minItems": 2, "maxItems": 2}


@pytest.mark.parametrize(("parallel", "count"), [(True, 2), (False, 1)])
async def test_parallel_calls_can_be_declined(models: House, parallel: bool, count: int) -> None:
    both = one({"name": "weather", "arguments": {"city": "Puno"}})
    told = await models.chat("go-tools", ask(format=both, parallel_tool_calls=parallel))
    assert [call.index for chunk in told.chunks for call in chunk.tool_calls] == list(range(count))
    assert told.chunks[-1].final is not None
