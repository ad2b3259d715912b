"""Models differ: templates, tools, thinking, embeddings, contexts. Each with the real engine."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from puna.engine.llama import ContextExceeded
from puna.engine.types import ChatCompletion, Completion, SamplingOptions
from puna.prompts.messages import Message
from tests.engine.conftest import GREEDY, StartRunner, whole


async def test_stop_strings_are_not_emitted(start_runner: StartRunner, smollm2_gguf: Path) -> None:
    driver = (await start_runner(smollm2_gguf)).driver
    ask = Completion("1, 2, 3, 4,", SamplingOptions(temperature=0, num_predict=40, stop=("9",)))
    chunks = await whole(driver.complete(ask))
    assert "".join(chunk.text for chunk in chunks).strip().startswith("5, 6, 7, 8")
    assert "9" not in "".join(chunk.text for chunk in chunks)
    assert chunks[-1].final is not None
    assert chunks[-1].final.reason == "stop"
    answer = await whole(driver.chat(ChatCompletion([Message("user", "Say hello.")], GREEDY)))
    assert "hello" in "".join(chunk.text for chunk in answer).lower()


async def test_an_over_long_prompt_says_what_fits(start_runner: StartRunner, tiny_llama: Path) -> None:
    driver = (await start_runner(tiny_llama, num_ctx=512)).driver
    with pytest.raises(ContextExceeded, match="context") as caught:
        await whole(driver.complete(Completion("word " * 600, GREEDY)))
    assert caught.value.n_ctx == 512
    assert caught.value.n_prompt_tokens > 600


async def test_the_template_is_the_models_own(start_runner: StartRunner, tiny_tools: Path) -> None:
    runner = await start_runner(tiny_tools)
    assert runner.props.supports_tools
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    text = await runner.driver.apply_template([Message("user", "hi")], [tool], None)
    assert "weather" in text
    assert text.endswith("<|im_start|>assistant\n")


async def test_thinking_can_be_switched_off_in_the_template(start_runner: StartRunner, tiny_thinker: Path) -> None:
    driver = (await start_runner(tiny_thinker)).driver
    messages = [Message("user", "hi")]
    assert "</think>" in await driver.apply_template(messages, (), False)
    assert "</think>" not in await driver.apply_template(messages, (), True)


async def test_embeddings_of_texts_and_tokens(start_runner: StartRunner, tiny_embedder: Path) -> None:
    runner = await start_runner(tiny_embedder, num_ctx=512, embedding_only=True)
    assert (runner.props.adds_bos, runner.props.adds_eos) == (True, True)
    tokens = await runner.driver.tokenize("the high land", bos=True)
    found = await runner.driver.embed(["the high land", tokens, "rain"], normalize=True)
    assert found.vectors[0] == pytest.approx(found.vectors[1], abs=1e-6)
    assert found.vectors[0] != found.vectors[2]
    assert all(math.hypot(*vector) == pytest.approx(1, abs=1e-5) for vector in found.vectors)
    assert found.prompt_tokens > 2 * len(tokens)
    raw = await runner.driver.embed(["rain"], normalize=False)
    assert math.hypot(*raw.vectors[0]) != pytest.approx(1, abs=1e-3)
    with pytest.raises(ContextExceeded) as caught:
        await runner.driver.embed(["rain " * 600], normalize=True)
    assert caught.value.n_ctx == 512


@pytest.mark.parametrize("slots", [1, 3, 4])
async def test_a_completion_model_embeds_as_well(start_runner: StartRunner, tiny_llama: Path, slots: int) -> None:
    driver = (await start_runner(tiny_llama, slots=slots)).driver
    found = await driver.embed(["one", "two"] * 5, normalize=True)
    assert len(found.vectors) == 10
    assert found.vectors[0] == pytest.approx(found.vectors[2], abs=1e-4)
    assert await whole(driver.complete(Completion("a", GREEDY)))
