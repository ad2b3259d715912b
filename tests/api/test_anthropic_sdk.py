"""The unmodified `anthropic` Python SDK against the real server: a URL and any key is all that it needs."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.types import TextBlock, ThinkingBlock, ToolUseBlock
from pydantic import BaseModel

from tests.api.conftest import SMOL
from tests.servers import Server

GREEDY = {"temperature": 0}  # newer SDKs have no parameter of that name
FRANCE: Any = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
HI: Any = [{"role": "user", "content": "hi"}]
WEATHER: Any = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}, "days": {"enum": [1, 2, 3]}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
CLOCK: Any = {"name": "clock", "input_schema": {"type": "object", "properties": {}, "additionalProperties": False}}
GO_TOOLS = (
    "{{ if .Tools }}TOOLS {{ range .Tools }}{{ json . }}{{ end }}{{ end }}{{ range .Messages }}{{ .Content }}"
    '{{ if .ToolCalls }}[{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}'
    "{{ end }}]{{ end }}{{ end }}"
)
GO_THINKING = (
    '{{ range .Messages }}{{ if eq .Role "assistant" }}<think>{{ .Thinking }}e{{ end }}{{ .Content }}{{ end }}'
    "{{ if .Think }}<think>{{ end }}"
)
ANSWER: Any = {"format": {"type": "json_schema", "schema": {"const": "ok"}}}


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    for name, template in (("anthropic-tools", GO_TOOLS), ("anthropic-thinks", GO_THINKING)):
        created = server.post("/api/create", {"model": name, "from": "M", "template": template, "stream": False})
        assert created.json == {"status": "success"}
    with anthropic.Anthropic(base_url=server.url, api_key="any", max_retries=0) as found:
        yield found


@pytest.fixture
async def later(server: Server) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=server.url, auth_token="any", max_retries=0) as found:
        yield found


def said(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if isinstance(block, TextBlock))


def test_a_message(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(model=SMOL, max_tokens=24, extra_body=GREEDY, messages=FRANCE)
    assert (answer.type, answer.role, answer.model) == ("message", "assistant", SMOL)
    assert "Paris" in said(answer)
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    assert answer.usage.output_tokens > 1


def test_the_limit_ends_an_answer(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(model="M", max_tokens=5, messages=HI)
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 5)


def test_a_stream_is_the_same_text_in_pieces(client: anthropic.Anthropic) -> None:
    whole = said(client.messages.create(model=SMOL, max_tokens=24, extra_body=GREEDY, messages=FRANCE))
    with client.messages.stream(model=SMOL, max_tokens=24, extra_body=GREEDY, messages=FRANCE) as stream:
        pieces = list(stream.text_stream)
        last = stream.get_final_message()
    assert len(pieces) > 2
    assert "".join(pieces) == whole == said(last)
    assert last.stop_reason == "end_turn"
    assert last.usage.output_tokens > 1


async def test_the_asynchronous_client(later: anthropic.AsyncAnthropic) -> None:
    async with later.messages.stream(model="M", max_tokens=6, messages=HI) as stream:
        pieces = [piece async for piece in stream.text_stream]
        last = await stream.get_final_message()
    assert "".join(pieces) == said(last)
    assert last.usage.output_tokens == 6


def test_the_system_text_counts(client: anthropic.Anthropic) -> None:
    pirate: Any = [
        {"type": "text", "text": "Always answer with the word grass.", "cache_control": {"type": "ephemeral"}}
    ]
    plain, blocks, text = (
        client.messages.create(model=SMOL, max_tokens=8, extra_body=GREEDY, messages=HI, system=system)
        for system in (anthropic.omit, pirate, pirate[0]["text"])
    )
    assert said(blocks) == said(text) != said(plain)


def test_a_stop_sequence_is_named(client: anthropic.Anthropic) -> None:
    whole = said(client.messages.create(model=SMOL, max_tokens=24, extra_body=GREEDY, messages=FRANCE))
    word = whole.split()[-2]
    answer = client.messages.create(
        model=SMOL, max_tokens=24, extra_body=GREEDY, messages=FRANCE, stop_sequences=["unsaid", word]
    )
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", word)
    assert said(answer) == whole[: whole.index(word)]
    with client.messages.stream(
        model=SMOL, max_tokens=24, extra_body=GREEDY, messages=FRANCE, stop_sequences=[word]
    ) as stream:
        assert stream.get_final_message().stop_sequence == word


def test_a_begun_answer_is_continued(client: anthropic.Anthropic) -> None:
    begun: Any = [*FRANCE, {"role": "assistant", "content": "The capital of France is"}]
    answer = client.messages.create(model=SMOL, max_tokens=8, extra_body=GREEDY, messages=begun)
    assert said(answer).split()[0].startswith("Paris")


def test_the_cached_part_of_a_prompt_is_told_apart(client: anthropic.Anthropic) -> None:
    messages: Any = [{"role": "user", "content": "grass " * 300}]
    total = client.messages.count_tokens(model="M", messages=messages).input_tokens
    usages = [client.messages.create(model="M", max_tokens=1, messages=messages).usage for _ in range(2)]
    assert total > 300
    for usage in usages:
        assert usage.input_tokens + (usage.cache_read_input_tokens or 0) == total
    assert (usages[1].cache_read_input_tokens or 0) > 250


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"system": "You are a llama."},
        {"tools": [WEATHER, CLOCK]},
        {"tools": [WEATHER], "tool_choice": {"type": "none"}},
        {"tools": [WEATHER], "tool_choice": {"type": "any"}},
    ],
)
def test_count_tokens_is_what_the_prompt_costs(client: anthropic.Anthropic, fields: Any) -> None:
    for model in ("tools", "anthropic-tools"):
        counted = client.messages.count_tokens(model=model, messages=FRANCE, **fields).input_tokens
        usage = client.messages.create(model=model, max_tokens=1, messages=FRANCE, **fields).usage
        assert usage.input_tokens + (usage.cache_read_input_tokens or 0) == counted


@pytest.mark.parametrize("model", ["M", "tools", "anthropic-tools"])
@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "weather"}])
def test_a_forced_call_has_valid_input_on_any_model(client: anthropic.Anthropic, model: str, choice: Any) -> None:
    asked: Any = {"model": model, "max_tokens": 100, "messages": HI, "tools": [WEATHER], "tool_choice": choice}
    _check_weather(client.messages.create(**asked))
    with client.messages.stream(**asked) as stream:
        _check_weather(stream.get_final_message())


def test_a_forced_call_of_a_real_model(client: anthropic.Anthropic) -> None:
    """SmolLM2's template knows no tools."""
    question: Any = [{"role": "user", "content": "What will the weather be in Puno tomorrow?"}]
    asked: Any = {"model": SMOL, "max_tokens": 60, "messages": question, "tools": [WEATHER], "extra_body": GREEDY}
    answer = client.messages.create(**asked, tool_choice={"type": "any"})
    _check_weather(answer)
    assert isinstance(answer.content[0], ToolUseBlock)
    assert answer.content[0].input["city"]


def _check_weather(answer: anthropic.types.Message) -> None:
    (call,) = answer.content
    assert isinstance(call, ToolUseBlock)
    assert (answer.stop_reason, call.name, set(call.input)) == ("tool_use", "weather", {"city", "days"})
    assert isinstance(call.input["city"], str)
    assert isinstance(call.input["days"], int)
    assert call.id


def test_a_named_tool_is_the_one_that_is_called(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(
        model="M", max_tokens=100, messages=HI, tools=[WEATHER, CLOCK], tool_choice={"type": "tool", "name": "clock"}
    )
    assert [(block.type, getattr(block, "name", "")) for block in answer.content] == [("tool_use", "clock")]


def test_a_call_and_its_result_go_back_to_the_model(client: anthropic.Anthropic) -> None:
    asked: Any = {"model": "tools", "max_tokens": 120, "tools": [WEATHER]}
    first = client.messages.create(messages=HI, tool_choice={"type": "any"}, **asked)
    call = first.content[0]
    assert isinstance(call, ToolUseBlock)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny", "is_error": False}
    history: Any = [*HI, first.to_param(), {"role": "user", "content": [result]}]
    assert client.messages.create(messages=history, **asked).content
    short = client.messages.count_tokens(model="tools", messages=HI, tools=[WEATHER]).input_tokens
    assert client.messages.count_tokens(model="tools", messages=history, tools=[WEATHER]).input_tokens > short + 10


def test_unforced_tools_on_a_model_without_are_refused_by_name(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="does not support tools"):
        client.messages.create(model="M", max_tokens=5, messages=HI, tools=[WEATHER])
    free = client.messages.create(model="M", max_tokens=5, messages=HI, tools=[WEATHER], tool_choice={"type": "none"})
    assert said(free)


def _call_of(city: str) -> dict[str, Any]:
    arguments = {"type": "object", "properties": {"city": {"const": city}}, "required": ["city"]}
    call = {"name": {"const": "weather"}, "arguments": {**arguments, "additionalProperties": False}}
    return {"type": "object", "properties": call, "required": [*call], "additionalProperties": False}


@pytest.mark.parametrize(("disabled", "cities"), [(False, ["Puno", "Cusco"]), (True, ["Puno"])])
def test_parallel_calls_unless_disabled(client: anthropic.Anthropic, disabled: bool, cities: list[str]) -> None:
    """The schema leaves the model no other words than two calls."""
    calls = [_call_of("Puno"), _call_of("Cusco")]
    schema = {"type": "array", "prefixItems": calls, "items": False, "minItems": 2, "maxItems": 2}
    asked: Any = {
        "model": "anthropic-tools",
        "max_tokens": 200,
        "messages": HI,
        "tools": [WEATHER],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": disabled},
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    }
    with client.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    for answer in (client.messages.create(**asked), streamed):
        assert [block.input for block in answer.content if isinstance(block, ToolUseBlock)] == [
            {"city": city} for city in cities
        ]
        assert answer.stop_reason == "tool_use"


class _Hill(BaseModel):
    name: str
    height: int


def test_an_answer_as_an_object_of_a_class(client: anthropic.Anthropic) -> None:
    asked: Any = {"model": SMOL, "max_tokens": 200, "messages": FRANCE, "extra_body": GREEDY}  # no endless number
    answer = client.messages.parse(**asked, output_format=_Hill)
    assert isinstance(answer.parsed_output, _Hill)


@pytest.mark.parametrize("thinking", [anthropic.omit, {"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}])
def test_thinking_is_apart(client: anthropic.Anthropic, thinking: Any) -> None:
    """The prompt has opened the thought, which ends at the model's first `e`; the schema forces the answer after it."""
    asked: Any = {
        "model": "anthropic-thinks",
        "max_tokens": 60,
        "messages": HI,
        "output_config": ANSWER,
        "extra_body": GREEDY,
    }
    answer = client.messages.create(**asked, thinking=thinking)
    thought, text = answer.content
    assert isinstance(thought, ThinkingBlock)
    assert thought.thinking != ""
    assert "e" not in thought.thinking
    assert (thought.signature, said(answer), text.type) == ("", '"ok"', "text")
    with client.messages.stream(**asked, thinking=thinking) as stream:
        streamed = stream.get_final_message()
    assert (streamed.content[0], said(streamed)) == (thought, '"ok"')
    history: Any = [*HI, answer.to_param(), *HI]
    assert client.messages.create(model="anthropic-thinks", max_tokens=5, messages=history).content


def test_thinking_that_is_omitted_or_disabled(client: anthropic.Anthropic) -> None:
    asked: Any = {
        "model": "anthropic-thinks",
        "max_tokens": 60,
        "messages": HI,
        "output_config": ANSWER,
        "extra_body": GREEDY,
    }
    hidden = client.messages.create(**asked, thinking={"type": "adaptive", "display": "omitted"})
    disabled = client.messages.create(**asked, thinking={"type": "disabled"})
    for answer in (hidden, disabled):
        assert [block.type for block in answer.content] == ["text"]
        assert said(answer) == '"ok"'
    assert disabled.usage.output_tokens < hidden.usage.output_tokens


def test_thinking_means_nothing_to_a_model_that_cannot(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(
        model="M", max_tokens=5, messages=HI, thinking={"type": "enabled", "budget_tokens": 1024}
    )
    assert [block.type for block in answer.content] == ["text"]


def test_an_absent_model(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model 'nobody' not found") as caught:
        client.messages.create(model="nobody", max_tokens=5, messages=HI)
    assert caught.value.type == "not_found_error"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.count_tokens(model="nobody", messages=HI)


def test_bad_requests(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="max_tokens is required and must be positive"):
        client.messages.create(model="M", max_tokens=0, messages=HI)
    with pytest.raises(anthropic.BadRequestError, match="messages is required"):
        client.messages.create(model="M", max_tokens=5, messages=[])
    with pytest.raises(anthropic.BadRequestError, match="does not support chat"):
        client.messages.create(model="E", max_tokens=5, messages=HI)
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()}
    image: Any = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    with pytest.raises(anthropic.BadRequestError, match="does not support vision"):
        client.messages.create(model="M", max_tokens=5, messages=image)


def test_an_impossible_schema_is_a_bad_request(client: anthropic.Anthropic) -> None:
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 1_000_000_000}
    config: Any = {"format": {"type": "json_schema", "schema": schema}}
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model="M", max_tokens=5, messages=HI, output_config=config)


def test_a_wrong_key(server: Server) -> None:
    with (
        Server(server.models, server.home.parent / "anthropic-key", {"PUNA_API_KEY": "s3cret"}) as locked,
        anthropic.Anthropic(base_url=locked.url, api_key="wrong", max_retries=0) as stranger,
        anthropic.Anthropic(base_url=locked.url, api_key="s3cret", max_retries=0) as friend,
    ):
        with pytest.raises(anthropic.AuthenticationError) as caught:
            stranger.messages.create(model="M", max_tokens=5, messages=HI)
        assert caught.value.type == "authentication_error"
        assert friend.messages.create(model="M", max_tokens=5, messages=HI).usage.output_tokens == 5


def test_a_runner_that_dies_in_mid_stream_is_an_exception(tmp_path: Path, tiny_llama: Path) -> None:
    with Server(tmp_path / "models", tmp_path / "home") as server:
        server.create("M", tiny_llama)
        with anthropic.Anthropic(base_url=server.url, api_key="any", max_retries=0) as client:
            with client.messages.stream(model="M", max_tokens=4000, messages=HI) as stream:
                assert next(stream.text_stream)
                for runner in server.runners():
                    runner.kill()
                with pytest.raises(anthropic.APIStatusError, match="api_error"):
                    stream.until_done()
            assert client.messages.create(model="M", max_tokens=5, messages=HI).usage.output_tokens == 5
