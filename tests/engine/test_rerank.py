"""Scores of a cross-encoder: the engine's own for each pair, whatever travels beside it, and texts that fit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from puna.engine import Reranked
from puna.engine.requests import RerankRequest
from puna.engine.runner import Launch, Runner
from puna.environment import child_environment
from puna.errors import BadRequest, EngineError, FieldRefused
from tests import tiny_models
from tests.engine.conftest import plan_for
from tests.engine.engines import House, house

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = "what is a llama"
DOCUMENTS = ["the llama is a animal", "sky blue", "", "grass land", "new york city"]
TEMPLATE = "judge {query} by {document} ."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def models() -> AsyncIterator[House]:
    cache = tiny_models.cache_folder()
    rerankers = {
        "plain": tiny_models.tiny_reranker(cache),
        "template": tiny_models.tiny_reranker(cache, name="tiny-judge", template=TEMPLATE),
        "bomb": tiny_models.tiny_reranker(cache, name="tiny-bomb", template=TEMPLATE * 9),
        "broken": tiny_models.tiny_reranker(cache, name="tiny-broken", head=float("nan")),
    }
    async with house(rerankers) as made:
        yield made


async def rank(models: House, name: str, documents: Sequence[str] = DOCUMENTS, **more: Any) -> Reranked:
    ask = RerankRequest(**{"query": QUERY, "documents": documents} | more)
    return await models.engine.rerank(models.subject(name), ask)


async def bare(folder: Path, model: Path, query: str, documents: Sequence[str]) -> list[tuple[float, int]]:
    """Score and tokens of each pair, from an engine that is asked for one at a time, past all of Puna's code."""
    plan = plan_for(model, num_ctx=512, embedding_only=True, reranker=True)
    runner = await Runner.start(plan, "tiny:latest", Launch(environment=child_environment()), folder)
    try:
        (path,) = folder.glob("*.sock")
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path), force_close=True)) as session:
            found = []
            for document in documents:
                body = {"query": query, "documents": [document]}
                async with session.post("http://runner/v1/rerank", json=body) as response:
                    told = await response.json()
                found.append((told["results"][0]["relevance_score"], told["usage"]["prompt_tokens"]))
            return found
    finally:
        await runner.stop()


@pytest.mark.parametrize(("name", "template"), [("tiny-reranker", ""), ("tiny-judge", TEMPLATE)])
async def test_scores_are_the_engines_own_of_each_pair(models: House, folder: Path, name: str, template: str) -> None:
    model = tiny_models.tiny_reranker(tiny_models.cache_folder(), name=name, template=template)
    own = await bare(folder, model, QUERY, DOCUMENTS)
    found = await rank(models, "template" if template else "plain")
    assert found.scores == [score for score, _ in own]
    assert len(set(found.scores)) == len(DOCUMENTS)
    assert found.prompt_tokens == sum(tokens for _, tokens in own)
    assert found.ranking == sorted(range(len(own)), key=lambda index: own[index], reverse=True)


async def test_equal_documents_stay_in_their_order(models: House) -> None:
    found = await rank(models, "plain", ["sky", "llama", "sky", "llama"])
    assert found.ranking in ([0, 2, 1, 3], [1, 3, 0, 2])


@pytest.mark.parametrize("name", ["plain", "template"])
async def test_a_document_that_is_too_long_is_cut_at_its_end(models: House, name: str) -> None:
    """What lies behind the cut does not count, most of the room is used, and the others keep their scores."""
    begins = "sky llama " * 300
    ends = ["", "grass " * 500, "blue " * 5000]
    found = await rank(models, name, [*DOCUMENTS, *(begins + end for end in ends)])
    assert found.scores[: len(DOCUMENTS)] == (await rank(models, name)).scores
    assert len(set(found.scores[len(DOCUMENTS) :])) == 1
    alone = await rank(models, name, [begins])
    assert 490 <= alone.prompt_tokens <= 512


async def test_a_document_that_may_not_be_cut_is_named(models: House) -> None:
    with pytest.raises(FieldRefused, match=r"documents\[2\] is too long.* \d+ tokens") as refused:
        await rank(models, "plain", ["sky", "sky " * 20, "sky " * 600], truncate=False)
    assert refused.value.param == "documents"
    assert len((await rank(models, "plain", ["sky", "sky " * 20], truncate=False)).scores) == 2


async def test_a_query_that_fills_the_context_is_refused(models: House) -> None:
    for name in ("plain", "template"):
        with pytest.raises(FieldRefused, match=r"query leaves no room .* 512 tokens") as refused:
            await rank(models, name, query="llama " * 600)
        assert refused.value.param == "query"


async def test_a_smaller_context_holds_less(models: House) -> None:
    found = await rank(models, "plain", ["sky " * 600], options={"num_ctx": 64})
    assert 50 <= found.prompt_tokens <= 64


async def test_T14_a_query_cannot_multiply_the_document(models: House) -> None:
    """The engine looks for the document's place in the query, too: a thousand of them would be a thousand copies."""
    found = await rank(models, "template", ["sky " * 100], query="{document} {query} " * 10)
    assert found.prompt_tokens < 250


async def test_T16_a_template_that_multiplies_is_refused(models: House) -> None:
    with pytest.raises(BadRequest, match=r"bomb:latest: its rerank template must have .* once each"):
        await rank(models, "bomb")


async def test_scores_that_are_no_numbers_are_an_error(models: House) -> None:
    with pytest.raises(EngineError, match="no number"):
        await rank(models, "broken")
