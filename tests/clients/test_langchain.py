"""The unmodified `langchain-ollama` against the real server and the real small model."""

from __future__ import annotations

from typing import Any, Literal

import ollama
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from pydantic import BaseModel, ConfigDict, Field

from tests.clients.conftest import CALLER, EMBEDDER, SMOL
from tests.servers import Server

# The library never closes its connections; a test must not leave any behind.
ONCE: Any = {"headers": {"Connection": "close"}}
FRANCE = "What is the capital of France? Answer in one word."
PUNO = HumanMessage("What is the weather in Puno?")


class Person(BaseModel):
    name: Literal["Ada", "Bob"]
    age: int = Field(ge=0, le=99)


class Weather(BaseModel):
    """The weather of a city."""

    model_config = ConfigDict(title="weather")
    city: str


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"It is sunny in {city}."


def talker(server: Server, model: str = SMOL, **fields: Any) -> ChatOllama:
    fields = {"temperature": 0, "num_predict": 12, "client_kwargs": ONCE, **fields}
    return ChatOllama(model=model, base_url=server.url, **fields)


def test_invoke(server: Server) -> None:
    found = talker(server).invoke([SystemMessage("You know the world."), HumanMessage(FRANCE)])
    assert "Paris" in found.text
    assert found.response_metadata["model"] == SMOL
    assert found.usage_metadata is not None
    assert found.usage_metadata["input_tokens"] > 10
    assert found.usage_metadata["total_tokens"] == sum(
        found.usage_metadata[part] for part in ("input_tokens", "output_tokens")
    )


async def test_a_stream_says_the_same_as_the_whole_answer(server: Server) -> None:
    model = talker(server)
    whole = model.invoke(FRANCE).text
    chunks = list(model.stream(FRANCE))
    assert len(chunks) > 2
    assert "".join(chunk.text for chunk in chunks) == whole
    assert "".join([chunk.text async for chunk in model.astream(FRANCE)]) == whole


def test_several_conversations_at_once(server: Server) -> None:
    model = talker(server)
    alone = model.invoke(FRANCE).text
    assert [found.text for found in model.batch([FRANCE] * 3)] == [alone] * 3


def test_options_reach_the_model(server: Server) -> None:
    whole = talker(server).invoke("Why is the sky blue?").text
    word = whole.split()[3]
    cut = talker(server, stop=[word]).invoke("Why is the sky blue?")
    assert cut.text == whole[: whole.index(word)]
    assert cut.response_metadata["done_reason"] == "stop"
    short = talker(server, num_predict=3).invoke("Why is the sky blue?")
    assert (short.response_metadata["eval_count"], short.response_metadata["done_reason"]) == (3, "length")


def test_the_model_calls_a_tool_and_uses_its_answer(server: Server) -> None:
    model = talker(server, CALLER, num_predict=60)
    asked = model.bind_tools([weather]).invoke([PUNO])
    (call,) = asked.tool_calls
    assert (call["name"], call["args"], asked.content) == ("weather", {"city": "Puno"}, "")
    result = weather.invoke(call)
    assert isinstance(result, ToolMessage)
    assert "sunny" in model.bind_tools([weather]).invoke([PUNO, asked, result]).text


def test_a_call_arrives_whole_in_a_stream(server: Server) -> None:
    total: AIMessage | AIMessageChunk | None = None
    for chunk in talker(server, CALLER, num_predict=60).bind_tools([weather]).stream([PUNO]):
        total = chunk if total is None else total + chunk  # type: ignore[assignment]
    assert total is not None
    assert [(call["name"], call["args"]) for call in total.tool_calls] == [("weather", {"city": "Puno"})]


def test_tools_on_a_model_without_are_an_error(server: Server) -> None:
    with pytest.raises(ollama.ResponseError, match="does not support tools") as refused:
        talker(server).bind_tools([weather]).invoke([PUNO])
    assert refused.value.status_code == 400


def test_structured_output_by_a_schema(server: Server) -> None:
    model = talker(server, num_predict=60).with_structured_output(Person, method="json_schema")
    assert isinstance(model.invoke("Describe a person."), Person)


def test_structured_output_by_a_call(server: Server) -> None:
    model = talker(server, CALLER, num_predict=60).with_structured_output(Weather, method="function_calling")
    assert model.invoke([PUNO]) == Weather(city="Puno")


def test_json_mode(server: Server) -> None:
    found = talker(server, format="json", num_predict=20).invoke("Describe a person as JSON.")
    assert found.text.lstrip().startswith("{")


def test_embeddings(server: Server) -> None:
    model = OllamaEmbeddings(model=SMOL, base_url=server.url, client_kwargs=ONCE)
    cat, kitten, law = model.embed_documents(["a small cat", "a little kitten", "corporate tax law"])
    assert len(cat) == 576
    assert sum(a * b for a, b in zip(cat, kitten, strict=True)) > sum(a * b for a, b in zip(cat, law, strict=True))
    assert model.embed_query("a small cat") == pytest.approx(cat, abs=1e-2)


async def test_embeddings_of_fewer_dimensions(server: Server) -> None:
    model = OllamaEmbeddings(model=EMBEDDER, base_url=server.url, dimensions=16, client_kwargs=ONCE)
    (vector,) = await model.aembed_documents(["the llama sleeps"])
    assert len(vector) == 16


def test_plain_completions(server: Server) -> None:
    model = OllamaLLM(model=SMOL, base_url=server.url, client_kwargs=ONCE, temperature=0, num_predict=12)
    whole = model.invoke("Why is the sky blue?")
    assert len(whole) > 20
    assert "".join(model.stream("Why is the sky blue?")) == whole


def test_a_model_that_is_absent_is_told_when_the_client_is_made(server: Server) -> None:
    with pytest.raises(ValueError, match="nope"):
        talker(server, "nope", validate_model_on_init=True)
    assert talker(server, validate_model_on_init=True).invoke(FRANCE).text
