"""Completions of the packaged real model through a real `puna serve` with a single slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from puna.client import OllamaClient, parse_host
from puna.code.completer import Completer
from puna.code.types import CodeConfig, CompletionRequest
from tests.code.asking import complete, until
from tests.servers import Server

CODE = "".join(f"def add_{number}(value):\n    return value + {number}\n\n\n" for number in range(24))
SUFFIX = "\n\n\nprint(add_1(2))\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("code")
    with Server(folder / "models", folder / "home", {"PUNA_NUM_PARALLEL": "1"}) as running:
        yield running


@pytest.fixture
async def completer(server: Server) -> AsyncIterator[Completer]:
    """Without a family that was found: the operator says that the model reads Qwen's markers."""
    config = CodeConfig(families={"smollm2": "qwen-coder"})
    async with OllamaClient(parse_host(server.url)) as client, Completer(client, config) as completer:
        yield completer


def evaluated(server: Server) -> tuple[float, float]:
    """Prompt tokens so far, and those of them that were not in the cache."""
    page = server.get("/metrics").body.decode()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    prompt, cached = (
        sum(sample.value for sample in samples if sample.name == f"puna_{which}_tokens_total")
        for which in ("prompt", "cached")
    )
    return prompt, prompt - cached


async def test_a_plain_continuation_is_what_the_runtime_says(server: Server, completer: Completer) -> None:
    prompt = "The capital of France is"
    options = {"temperature": 0, "seed": 1234, "num_predict": 8}
    body = {"model": "smollm2:135m", "prompt": prompt, "raw": True, "stream": False, "options": options}
    direct = server.post("/api/generate", body).json
    text, outcome = await complete(completer, prompt, raw=True, max_tokens=8)
    assert text == direct["response"]
    assert (outcome.reason, outcome.input_tokens, outcome.output_tokens) == ("length", direct["prompt_eval_count"], 8)


async def test_X1_leaving_frees_the_only_slot(completer: Completer) -> None:
    endless = CompletionRequest("Once upon a time", raw=True, max_tokens=4000)
    async with aclosing(completer.complete(endless)) as pieces:
        for _ in range(3):
            await anext(pieces)
    async with asyncio.timeout(20):  # the answer left behind would take three times as long
        text, _ = await complete(completer, "The capital of France is", raw=True, max_tokens=4)
    assert text


async def test_G2_one_more_character_evaluates_next_to_nothing(server: Server, completer: Completer) -> None:
    shares = []
    before = evaluated(server)
    for typed in ("    ret", "    retu", "    retur"):
        await complete(completer, f"{CODE}def add_24(value):\n{typed}", SUFFIX, max_tokens=2, mode="raw")
        await until(lambda known=before: evaluated(server) != known)  # counted behind the last byte of an answer
        after = evaluated(server)
        shares.append((after[1] - before[1]) / (after[0] - before[0]))
        before = after
    assert shares[0] > 0.5
    assert all(share <= 0.05 for share in shares[1:])


async def test_U4_the_answer_of_a_warm_cache_is_that_of_a_cold_one(completer: Completer) -> None:
    prompt = f"{CODE}def add_24(value):\n    retu"
    cold, _ = await complete(completer, f"# Path: a.py\n{prompt}", SUFFIX, max_tokens=12, session="a")
    await complete(completer, "Something else", max_tokens=1, session="b")
    warm, _ = await complete(completer, f"# Path: a.py\n{prompt}", SUFFIX, max_tokens=12, session="c")
    assert warm == cold


async def test_tokens_of_an_answer_that_was_hung_up_on_are_counted_by_the_runtime(
    server: Server, completer: Completer
) -> None:
    _, outcome = await complete(completer, "x = 1\ny = ", "  # second\n")
    body = {"model": "smollm2:135m", "content": outcome.explanation.prompt}
    assert outcome.input_tokens == len(server.post("/api/tokenize", body).json["tokens"])


async def test_D7_the_chat_model_answers_in_words(server: Server) -> None:
    async with OllamaClient(parse_host(server.url)) as client, Completer(client, CodeConfig()) as completer:
        served = await completer.served()
        _, outcome = await complete(completer, "def add(a, b):\n    return ", "\n", max_tokens=12)
    assert (served.name, served.chats, outcome.explanation.source) == ("smollm2:135m", True, "D7")
    assert 0 < outcome.output_tokens <= 12
