"""The unmodified `openai` Python SDK against the real server: chats, streams, tools, schemas, logprobs, embeddings,
errors as its own exceptions."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from openai import OpenAI
from openai.resources.chat.completions import Completions as ChatCompletions
from openai.resources.completions import Completions
from openai.resources.embeddings import Embeddings
from pydantic import BaseModel

from puna.api.openai.schemas import OpenAIChatBody, OpenAICompletionBody, OpenAIEmbeddingsBody
from tests.api.conftest import SMOL
from tests.servers import Server

HI: Any = [{"role": "user", "content": "Why is the sky blue?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"enum": ["Paris", "Lima"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
CLOCK: Any = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}


class Colour(BaseModel):
    name: Literal["red", "blue"]
    strong: bool


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as found:
        yield found


def test_chat(client: OpenAI) -> None:
    found = client.chat.completions.create(
        model=SMOL,
        messages=[{"role": "user", "content": "What is the capital of France? Answer in one word."}],
        temperature=0,
        max_completion_tokens=12,
    )
    (choice,) = found.choices
    assert choice.message.role == "assistant"
    assert "Paris" in (choice.message.content or "")
    assert choice.finish_reason in ("stop", "length")
    assert found.usage is not None
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    assert (found.object, found.model, found.system_fingerprint) == ("chat.completion", SMOL, "fp_ollama")


def test_a_stream_says_the_same_as_the_whole_answer(client: OpenAI) -> None:
    ask: Any = {"model": "M", "messages": HI, "temperature": 0, "max_tokens": 24}
    whole = client.chat.completions.create(**ask)
    chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1
    assert chunks[-1].usage is not None
    assert whole.usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens == 24


def test_the_stream_helper_of_the_sdk_puts_the_answer_together(client: OpenAI) -> None:
    with client.chat.completions.stream(model="M", messages=HI, response_format=Colour, max_tokens=60) as stream:
        events = list(stream)
        found = stream.get_final_completion()
    assert any(event.type == "content.delta" for event in events)
    assert isinstance(found.choices[0].message.parsed, Colour)


@pytest.mark.parametrize(
    ("model", "choice"),
    [
        ("M", "required"),
        ("M", {"type": "function", "function": {"name": "weather"}}),
        ("tools", {"type": "function", "function": {"name": "weather"}}),
        (SMOL, "required"),
    ],
)
def test_a_forced_call_has_arguments_that_follow_the_schema(client: OpenAI, model: str, choice: Any) -> None:
    tools = [WEATHER] if choice == "required" else [CLOCK, WEATHER]
    found = client.chat.completions.create(
        model=model, messages=HI, tools=tools, tool_choice=choice, max_tokens=200, seed=1
    )
    (call,) = found.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert call.function.name == "weather"
    arguments = json.loads(call.function.arguments)
    assert set(arguments) == {"city", "days"}
    assert arguments["city"] in ("Paris", "Lima")
    assert 1 <= arguments["days"] <= 7
    assert found.choices[0].finish_reason == "tool_calls"
    assert found.choices[0].message.content == ""


def test_a_forced_call_arrives_whole_in_a_stream(client: OpenAI) -> None:
    ask: Any = {"model": "tools", "messages": HI, "tools": [WEATHER], "tool_choice": "required", "max_tokens": 200}
    chunks = list(client.chat.completions.create(**ask, stream=True))
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert [call.index for call in calls] == [0]
    assert calls[0].function is not None
    assert set(json.loads(calls[0].function.arguments or "")) == {"city", "days"}
    assert calls[0].id
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_call_and_its_result_go_back_into_the_conversation(client: OpenAI) -> None:
    asked = client.chat.completions.create(model="tools", messages=HI, tools=[WEATHER], tool_choice="required", seed=1)
    message = asked.choices[0].message
    assert message.tool_calls is not None
    messages: Any = [*HI, message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}]
    found = client.chat.completions.create(model="tools", messages=messages, tools=[WEATHER], max_tokens=4)
    assert found.usage is not None
    assert asked.usage is not None
    assert found.usage.prompt_tokens > asked.usage.prompt_tokens


@pytest.mark.parametrize("model", ["M", SMOL])
def test_an_answer_in_the_form_of_a_model(client: OpenAI, model: str) -> None:
    found = client.chat.completions.parse(model=model, messages=HI, response_format=Colour, max_tokens=60)
    assert isinstance(found.choices[0].message.parsed, Colour)


def test_a_json_object(client: OpenAI) -> None:
    found = client.chat.completions.create(
        model="M", messages=HI, response_format={"type": "json_object"}, max_tokens=20
    )
    assert (found.choices[0].message.content or "").startswith("{")


def test_several_choices(client: OpenAI) -> None:
    ask: Any = {"model": "M", "messages": HI, "n": 3, "seed": 7, "max_tokens": 6}
    found = client.chat.completions.create(**ask)
    assert [choice.index for choice in found.choices] == [0, 1, 2]
    texts = [choice.message.content for choice in found.choices]
    assert len(set(texts)) == 3
    assert found.usage is not None
    assert found.usage.completion_tokens == 18
    assert found.usage.prompt_tokens == client.chat.completions.create(**ask | {"n": 1}).usage.prompt_tokens  # type: ignore[union-attr]
    streamed = ["", "", ""]
    for chunk in client.chat.completions.create(**ask, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert streamed == texts


def test_logprobs(client: OpenAI) -> None:
    ask: Any = {"model": "M", "messages": HI, "max_tokens": 5, "logprobs": True, "top_logprobs": 2, "temperature": 0}
    logprobs = client.chat.completions.create(**ask).choices[0].logprobs
    assert logprobs is not None
    entries = logprobs.content or []
    assert len(entries) == 5
    for entry in entries:
        assert entry.logprob <= 0
        assert bytes(entry.bytes or ()).decode(errors="replace") == entry.token or "\ufffd" in entry.token
        assert [other.logprob for other in entry.top_logprobs] == sorted(
            (other.logprob for other in entry.top_logprobs), reverse=True
        )
        assert len(entry.top_logprobs) == 2
    streamed = [
        entry
        for chunk in client.chat.completions.create(**ask, stream=True)
        for choice in chunk.choices
        if choice.logprobs
        for entry in choice.logprobs.content or ()
    ]
    assert [entry.token for entry in streamed] == [entry.token for entry in entries]


def test_a_seed_makes_an_answer_come_again(client: OpenAI) -> None:
    def ask(seed: int) -> str | None:
        found = client.chat.completions.create(model="M", messages=HI, max_tokens=8, seed=seed)
        return found.choices[0].message.content

    assert ask(3) == ask(3) != ask(4)


def test_a_biased_token_is_the_only_one(client: OpenAI, server: Server) -> None:
    (token,) = server.post("/api/tokenize", {"model": "M", "content": " grass"}).json["tokens"]
    found = client.chat.completions.create(model="M", messages=HI, max_tokens=3, logit_bias={str(token): 100})
    assert found.choices[0].message.content == " grass" * 3


def test_a_stop_text_ends_the_answer(client: OpenAI) -> None:
    ask: Any = {"model": SMOL, "messages": HI, "temperature": 0, "max_tokens": 8}
    whole = client.chat.completions.create(**ask).choices[0].message.content or ""
    word = whole.split()[3]
    for stop in (word, [word, "never"]):
        found = client.chat.completions.create(**ask, stop=stop).choices[0]
        assert found.message.content == whole[: whole.index(word)]
        assert found.finish_reason == "stop"


def test_cached_prompt_tokens_are_told(client: OpenAI) -> None:
    messages: Any = [{"role": "system", "content": "You know a lot about grass. " * 20}, *HI]
    for _ in range(2):
        usage = client.chat.completions.create(model="M", messages=messages, max_tokens=1).usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert 100 < (usage.prompt_tokens_details.cached_tokens or 0) < usage.prompt_tokens


def test_plain_completions(client: OpenAI) -> None:
    found = client.completions.create(model="M", prompt="Once", max_tokens=4, temperature=0, logprobs=2)
    choice = found.choices[0]
    assert (found.object, choice.finish_reason, choice.index) == ("text_completion", "length", 0)
    assert choice.logprobs is not None
    assert len(choice.logprobs.tokens or ()) == len(choice.logprobs.token_logprobs or ()) == 4
    streamed = list(client.completions.create(model="M", prompt="Once", max_tokens=4, temperature=0, stream=True))
    assert "".join(chunk.choices[0].text for chunk in streamed) == choice.text


def test_embeddings_by_default_and_as_numbers(client: OpenAI) -> None:
    """The SDK asks for base64 unless it is told otherwise, and decodes it."""
    default = client.embeddings.create(model="E", input=["grass", "sky"])
    plain = client.embeddings.create(model="E", input=["grass", "sky"], encoding_format="float")
    assert [row.index for row in default.data] == [0, 1]
    for one, other in zip(default.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert math.isclose(math.fsum(number**2 for number in one.embedding), 1, rel_tol=1e-3)
    assert default.usage.prompt_tokens == default.usage.total_tokens > 0
    assert len(client.embeddings.create(model="E", input="grass", dimensions=8).data[0].embedding) == 8


def test_models(client: OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"M:latest", "E:latest", SMOL} <= set(listed)
    found = client.models.retrieve("M")
    assert (found.id, found.object, found.owned_by) == ("M", "model", "library")
    assert found.created == listed["M:latest"].created


def test_errors_are_the_sdks_own(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as absent:
        client.chat.completions.create(model="nope", messages=HI)
    assert absent.value.body == {
        "message": "model 'nope' not found", "type": "not_found_error", "param": None, "code": None,
    }  # fmt: skip
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="M", messages=HI, audio={"format": "wav", "voice": "alloy"})
    assert refused.value.param == "audio"
    with pytest.raises(openai.BadRequestError) as incapable:
        client.chat.completions.create(model="M", messages=HI, reasoning_effort="high")
    assert "does not support thinking" in incapable.value.message


def test_a_runner_that_dies_in_mid_stream_is_an_exception(client: OpenAI, server: Server) -> None:
    chunks = client.chat.completions.create(model="M", messages=HI, max_tokens=5000, stream=True)
    next(chunks)
    for runner in server.runners():
        runner.kill()
    with pytest.raises(openai.APIError, match="model runner has unexpectedly stopped"):
        list(chunks)
    assert client.chat.completions.create(model="M", messages=HI, max_tokens=1).choices


TRANSPORT = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
WITHOUT_EFFECT = {
    "user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention",
}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "body"),
    [
        (ChatCompletions.create, OpenAIChatBody),
        (Completions.create, OpenAICompletionBody),
        (Embeddings.create, OpenAIEmbeddingsBody),
    ],
)
def test_every_field_that_the_sdk_sends_is_known(method: Any, body: type[BaseModel]) -> None:
    assert set(inspect.signature(method).parameters) - TRANSPORT - WITHOUT_EFFECT - set(body.model_fields) == set()
