"""Tokens as a caller may name, count and weigh them: biases, cut prompts, tokenizing, the end by a stop sequence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from puna.engine.biases import MAX_BIASES
from puna.engine.requests import ChatRequest, EmbedRequest, GenerateRequest
from puna.errors import FieldRefused
from puna.prompts.messages import Message
from tests.engine.engines import House, Told, house

pytestmark = pytest.mark.asyncio(loop_scope="module")

GO = "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
N_VOCAB = 49_152  # SmolLM2's
SMALL = {"num_ctx": 256, "num_predict": 1, "temperature": 0}
HI = (Message("user", "hi"),)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def models(smollm2_gguf: Path, tiny_llama: Path, tiny_embedder: Path) -> AsyncIterator[House]:
    async with house({"smol": smollm2_gguf, "jinja": tiny_llama, "embedder": tiny_embedder}) as made:
        made.add("go", tiny_llama, template=GO)
        yield made


def say(*messages: Message, **more: Any) -> ChatRequest:
    options = {"temperature": 0, "num_predict": 8, **more.pop("options", {})}
    return ChatRequest(messages=messages or HI, options=options, **more)


def prompt_tokens(told: Told) -> int:
    final = told.chunks[-1].final
    assert final is not None
    return final.prompt_tokens


@pytest.mark.parametrize("name", ["smol", "jinja", "go"])
async def test_a_bias_forces_and_forbids_a_token(models: House, name: str) -> None:
    (llama,) = await models.engine.tokenize(models.subject(name), " the")
    plain = await models.chat(name, say())
    forced = await models.chat(name, say(logit_bias={llama: 100}))
    assert forced.text == " the" * 8 != plain.text
    first = (await models.engine.tokenize(models.subject(name), plain.text))[0]
    assert not (await models.chat(name, say(logit_bias={first: -100}))).text.startswith(plain.text)
    assert (await models.chat(name, say())).text == plain.text
    raw = GenerateRequest(prompt="hi", options={"temperature": 0, "num_predict": 3}, logit_bias={llama: 100.0})
    assert (await models.generate(name, raw)).text == " the" * 3


@pytest.mark.parametrize("token", [-1, N_VOCAB, 2**31, 2**63, 10**30])
async def test_T18_tokens_that_the_model_does_not_have_are_refused(models: House, token: int) -> None:
    for name in ("jinja", "go"):
        with pytest.raises(FieldRefused, match=f"tokens 0 to {N_VOCAB - 1}"):
            await models.chat(name, say(logit_bias={token: 1}))
        with pytest.raises(FieldRefused, match=f"tokens 0 to {N_VOCAB - 1}") as caught:
            await models.engine.detokenize(models.subject(name), [1, token])
        assert caught.value.param == "tokens"


async def test_every_token_may_be_biased_at_once_up_to_the_limit(models: House) -> None:
    biases = {N_VOCAB - 1 - n: 1.0 for n in range(MAX_BIASES)}
    assert (await models.chat("jinja", say(logit_bias=biases))).text


LONG = "grass " * 400
TURNS = [Message(("user", "assistant")[i % 2], f"message {i} {'grass ' * 20}") for i in range(21)]


@pytest.mark.parametrize("name", ["jinja", "go"])
@pytest.mark.parametrize("messages", [TURNS, [Message("user", LONG)], [*TURNS, Message("user", LONG)]])
async def test_what_was_cut_from_a_conversation_is_counted(models: House, name: str, messages: list[Message]) -> None:
    whole = await models.engine.count_tokens(models.subject(name), say(*messages))
    told = await models.chat(name, say(*messages, options=SMALL))
    assert told.dropped_tokens == whole - prompt_tokens(told) > 0


@pytest.mark.parametrize("name", ["jinja", "go"])
@pytest.mark.parametrize("raw", [True, False])
async def test_what_was_cut_from_a_prompt_is_counted(models: House, name: str, raw: bool) -> None:
    whole = await models.generate(name, GenerateRequest(prompt=LONG, raw=raw, options={"num_predict": 1}))
    assert whole.dropped_tokens == 0
    told = await models.generate(name, GenerateRequest(prompt=LONG, raw=raw, options=SMALL))
    assert told.dropped_tokens == prompt_tokens(whole) - prompt_tokens(told) > 0


async def test_nothing_is_cut_from_what_fits(models: House) -> None:
    assert (await models.chat("jinja", say(*TURNS))).dropped_tokens == 0


async def test_what_was_cut_is_known_when_the_first_batch_comes(models: House) -> None:
    async with models.engine.chat(models.subject("go"), say(Message("user", LONG), options=SMALL)) as answer:
        assert answer.dropped_tokens == 0
        await anext(answer.batches)
        assert answer.dropped_tokens > 100


@pytest.mark.parametrize("name", ["smol", "jinja", "go"])
async def test_the_tokens_of_a_conversation_are_counted_as_the_engine_does(models: House, name: str) -> None:
    for ask in (say(), say(Message("system", "Be brief."), *TURNS[:3])):
        counted = await models.engine.count_tokens(models.subject(name), ask)
        assert counted == prompt_tokens(await models.chat(name, ask))


async def test_tokens_of_tools_are_counted_too(models: House) -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "Says hello.", "parameters": {}}}
    ask = say(tools=[tool], must_call=["f"])
    counted = await models.engine.count_tokens(models.subject("jinja"), ask)
    assert counted == prompt_tokens(await models.chat("jinja", ask))
    assert counted > await models.engine.count_tokens(models.subject("jinja"), say()) + 10


@pytest.mark.parametrize("name", ["smol", "embedder"])
@pytest.mark.parametrize("text", ["", "the high land", "red llama", "the  puna\n\tis high"])
async def test_a_text_survives_its_tokens(models: House, name: str, text: str) -> None:
    subject = models.subject(name)
    tokens = await models.engine.tokenize(subject, text)
    back = await models.engine.detokenize(subject, tokens)
    assert await models.engine.tokenize(subject, back) == tokens
    if name == "smol":
        assert back == text


async def test_a_text_of_any_script_survives_its_tokens(models: House) -> None:
    text = "Puna: 高原 🦙 <|im_start|> é\u2028\x00"
    tokens = await models.engine.tokenize(models.subject("smol"), text)
    assert await models.engine.detokenize(models.subject("smol"), tokens) == text


async def test_counting_does_not_reload_a_model_that_is_loaded_otherwise(models: House) -> None:
    subject = models.subject("jinja")
    await models.engine.load(subject, EmbedRequest(inputs=(), options={"num_ctx": 512}))
    (before,) = [row for row in models.engine.running() if row.name == subject.model.name]
    await models.engine.tokenize(subject, "hi")
    await models.engine.count_tokens(subject, say())
    (after,) = [row for row in models.engine.running() if row.name == subject.model.name]
    assert (after.pid, after.n_ctx) == (before.pid, 512)


@pytest.mark.parametrize("name", ["jinja", "go"])
async def test_the_stop_sequence_that_ended_an_answer_is_told(models: House, name: str) -> None:
    (the,) = await models.engine.tokenize(models.subject(name), " the")
    for stop, text in ((["never", "the"], "the"), (["never"], "")):
        told = await models.chat(name, say(logit_bias={the: 100}, options={"stop": stop}))
        final = told.chunks[-1].final
        assert final is not None
        assert (final.stop_text, final.reason) == (text, "stop" if text else "length")
