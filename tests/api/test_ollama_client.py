"""The unmodified official `ollama` Python client against the real server and the real small model."""

from __future__ import annotations

import json
from collections.abc import Iterator

import ollama
import pytest

from tests.api.conftest import SMOL
from tests.servers import Server

GREEDY = {"temperature": 0, "seed": 1, "num_predict": 24}


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[ollama.Client]:
    with ollama.Client(host=server.url) as found:
        yield found


def test_generate(client: ollama.Client) -> None:
    answer = client.generate(SMOL, "Why is the sky blue?", options=GREEDY)
    assert answer.done
    assert answer.done_reason == "length"
    assert len(answer.response) > 20
    assert answer.eval_count == 24
    assert answer.prompt_eval_count
    assert answer.prompt_eval_count > 10
    assert answer.total_duration
    assert answer.eval_duration
    assert answer.total_duration >= answer.eval_duration > 0


def test_a_stream_is_the_same_text_in_pieces(client: ollama.Client) -> None:
    whole = client.generate(SMOL, "Why is the sky blue?", options=GREEDY).response
    chunks = list(client.generate(SMOL, "Why is the sky blue?", options=GREEDY, stream=True))
    assert len(chunks) > 10
    assert "".join(chunk.response for chunk in chunks) == whole
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_chat(client: ollama.Client) -> None:
    messages = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
    whole = client.chat(SMOL, messages, options=GREEDY)
    assert whole.message.role == "assistant"
    assert "Paris" in (whole.message.content or "")
    pieces = client.chat(SMOL, messages, options=GREEDY, stream=True)
    assert "".join(piece.message.content or "" for piece in pieces) == whole.message.content


def test_context_carries_a_conversation(client: ollama.Client) -> None:
    first = client.generate(SMOL, "I am Bob. Greet me by my name.", options=GREEDY)
    assert first.context
    with_memory = client.generate(SMOL, "What is my name?", context=first.context, options=GREEDY)
    without = client.generate(SMOL, "What is my name?", options=GREEDY)
    assert "Bob" in with_memory.response
    assert "Bob" not in without.response
    assert with_memory.context
    assert list(with_memory.context)[: len(first.context)] == list(first.context)


def test_a_seed_makes_sampling_repeatable(client: ollama.Client) -> None:
    def sample(seed: int) -> str:
        options = {"temperature": 1.5, "seed": seed, "num_predict": 24}
        return client.generate(SMOL, "Tell me a story.", options=options).response

    assert sample(42) == sample(42)
    assert len({sample(seed) for seed in (1, 2, 3)}) > 1


def test_stop_words_end_an_answer_and_are_not_shown(client: ollama.Client) -> None:
    counting = "Count: one, two, three, four,"
    whole = client.generate(SMOL, counting, raw=True, options=GREEDY)
    word = whole.response.split()[2]
    cut = client.generate(SMOL, counting, raw=True, options={**GREEDY, "stop": [word]})
    assert cut.done_reason == "stop"
    assert word not in cut.response
    assert whole.response.startswith(cut.response)


def test_structured_output(client: ollama.Client) -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 20},
            "age": {"type": "integer", "minimum": 0, "maximum": 99},
        },
        "required": ["name", "age"],
    }
    messages = [{"role": "user", "content": "Describe a person as JSON with name and age."}]
    answer = client.chat(SMOL, messages, format=schema, options={"temperature": 0, "num_predict": 80})
    person = json.loads(answer.message.content or "")
    assert set(person) == {"name", "age"}
    assert isinstance(person["age"], int)
    text = client.generate(
        SMOL, "Describe a person as JSON.", format="json", options={"temperature": 0, "num_predict": 150}
    )
    assert text.response.lstrip().startswith("{")


def test_embeddings(client: ollama.Client) -> None:
    batch = client.embed("E", ["the grass is green", "the llama sleeps"])
    assert len(batch.embeddings) == 2
    assert sum(number * number for number in batch.embeddings[0]) == pytest.approx(1.0, abs=1e-3)
    assert batch.prompt_eval_count
    single = client.embed("E", "the llama sleeps").embeddings[0]
    assert list(single) == pytest.approx(list(batch.embeddings[1]), abs=1e-3)
    short = client.embed("E", "the llama sleeps", dimensions=16).embeddings[0]
    assert len(short) == 16
    assert sum(number * number for number in short) == pytest.approx(1.0, abs=1e-3)
    old = client.embeddings("E", "the llama sleeps")
    assert len(old.embedding) == len(single)


def test_a_completion_model_embeds_too(client: ollama.Client) -> None:
    cat, kitten, tax = client.embed(SMOL, ["a small cat", "a little kitten", "corporate tax law"]).embeddings
    assert len(cat) == 576

    def similarity(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert similarity(list(cat), list(kitten)) > similarity(list(cat), list(tax))


def test_show_list_and_ps(client: ollama.Client) -> None:
    shown = client.show(SMOL)
    assert shown.details
    assert shown.details.family == "llama"
    assert shown.details.parameter_size == "134.52M"
    assert shown.details.quantization_level == "Q4_1"
    assert "completion" in (shown.capabilities or [])
    assert shown.modelinfo
    assert shown.modelinfo["llama.context_length"] == 8192
    listed = {model.model: model for model in client.list().models}
    assert SMOL in listed
    assert listed[SMOL].size
    client.generate(SMOL, "hi", options={"num_predict": 1})
    running = {model.model: model for model in client.ps().models}
    assert SMOL in running
    assert running[SMOL].size
    assert running[SMOL].context_length


def test_copy_create_and_delete(client: ollama.Client) -> None:
    client.copy(SMOL, "copied")
    assert "copied:latest" in [model.model for model in client.list().models]
    client.create(
        "parrot",
        from_="copied",
        system="You are a parrot.",
        parameters={"temperature": 0, "stop": ["END"]},
        messages=[{"role": "user", "content": "hello"}, {"role": "assistant", "content": "Squawk!"}],
    )
    shown = client.show("parrot")
    assert shown.parameters
    assert "temperature" in shown.parameters
    assert '"END"' in shown.parameters
    assert shown.modelfile
    assert "SYSTEM You are a parrot." in shown.modelfile
    steps = list(client.create("parrot2", from_="parrot", stream=True))
    assert steps[-1].status == "success"
    for name in ("copied", "parrot", "parrot2"):
        client.delete(name)
    left = {model.model for model in client.list().models}
    assert left.isdisjoint({"copied:latest", "parrot:latest", "parrot2:latest"})
    assert SMOL in left
    with pytest.raises(ollama.ResponseError, match="not found"):
        client.delete("parrot")


def test_a_blob_travels_through_the_client(client: ollama.Client, smollm2_gguf) -> None:  # type: ignore[no-untyped-def]
    digest = client.create_blob(smollm2_gguf)
    client.create("uploaded", files={"model.gguf": digest})
    assert client.generate("uploaded", "hi", options={"num_predict": 2}).done
    client.delete("uploaded")
