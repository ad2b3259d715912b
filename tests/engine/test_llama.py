"""The conversation with a real engine: text, chat, tokens, constraints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from puna.engine.effects import Processes
from puna.engine.llama import LlamaDriver
from puna.engine.options import OPTIONS, merge_options
from puna.engine.runner import Launch
from puna.engine.schema import constrain
from puna.engine.types import ChatCompletion, Completion, SamplingOptions
from puna.environment import child_environment
from puna.errors import BadRequest
from puna.prompts.messages import Message
from tests.engine.conftest import GREEDY, plan_for, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver(tiny_llama: Path) -> AsyncIterator[LlamaDriver]:
    """One runner for all tests of this file: none of them leaves anything behind."""
    effects = Processes(Launch(environment=child_environment()))
    runner = await effects.start(plan_for(tiny_llama), "tiny")
    yield runner.driver
    await effects.stop(runner)
    await effects.close()


async def test_a_completion_of_text_and_of_its_tokens_is_the_same(driver: LlamaDriver) -> None:
    of_text = await whole(driver.complete(Completion("The puna is", GREEDY)))
    of_tokens = await whole(driver.complete(Completion(await driver.tokenize("The puna is"), GREEDY)))
    assert "".join(chunk.text for chunk in of_text) == "".join(chunk.text for chunk in of_tokens) != ""
    final = of_text[-1].final
    assert final is not None
    assert (final.reason, final.output_tokens) == ("length", 8)
    assert final.prompt_tokens == len(await driver.tokenize("The puna is"))
    assert final.output_ns > 0
    again = of_tokens[-1].final
    assert again is not None
    assert again.cached_tokens > 0
    assert again.prompt_tokens == final.prompt_tokens  # cached tokens count (contract §4.11)


async def test_logprobs_on_both_routes(driver: LlamaDriver) -> None:
    for n_probs in (0, 2):
        raw = driver.complete(Completion("a", GREEDY, n_probs=n_probs))
        chat = driver.chat(ChatCompletion([Message("user", "a")], GREEDY, n_probs=n_probs))
        for stream in (raw, chat):
            entries = [entry for chunk in await whole(stream) for entry in chunk.logprobs]
            assert entries
            assert all(len(entry.top) == n_probs and entry.logprob <= 0 for entry in entries)
            assert entries[0].raw.decode() == entries[0].token
            if n_probs:
                assert entries[0].top[0].logprob >= entries[0].top[1].logprob


async def test_a_schema_constrains_an_answer(driver: LlamaDriver) -> None:
    constraint = constrain({"enum": ["llama", "alpaca"]})
    chunks = await whole(driver.complete(Completion("a", SamplingOptions(num_predict=30), constraint=constraint)))
    assert orjson.loads("".join(chunk.text for chunk in chunks)) in ("llama", "alpaca")


async def test_T17_what_the_engine_cannot_follow_is_refused_instead_of_ignored(driver: LlamaDriver) -> None:
    contradiction = constrain({"allOf": [{"type": "string"}, {"type": "integer"}]})
    with pytest.raises(BadRequest, match="cannot follow"):
        await whole(driver.complete(Completion("a", GREEDY, constraint=contradiction)))
    async with asyncio.timeout(5):
        await whole(driver.complete(Completion("a", GREEDY)))


async def test_tokens_round_trip_and_special_ones_are_a_choice(driver: LlamaDriver) -> None:
    text = "Puna: 高原 🦙 <|im_start|>"
    tokens = await driver.tokenize(text)
    assert await driver.detokenize(tokens) == text
    assert len(await driver.tokenize("<|im_start|>")) == 1
    assert len(await driver.tokenize("<|im_start|>", special=False)) > 1


async def test_media_in_a_rendered_conversation_have_a_marker_that_is_no_secret(driver: LlamaDriver) -> None:
    marker = (await driver.props()).media_marker
    text = await driver.apply_template([Message("user", f"see {marker}!")], (), None)
    assert "see [img]!" in text


async def test_odd_numbers_inside_the_ranges_are_served(driver: LlamaDriver) -> None:
    """What the table lets through, the engine takes: both ends of every range."""
    for name, kind in OPTIONS.items():
        for end in ("low", "high"):
            value = getattr(kind, end, None)
            options = {"num_predict": 2} | ({} if value is None else {name: value})
            if name != "num_predict":
                _, sampling = merge_options(options)
                assert await whole(driver.complete(Completion("a b", sampling))), (name, value)
