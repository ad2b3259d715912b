"""The real engine reads our prompts: markers are one token each, user text that spells a marker is not.

One tiny model whose vocabulary has the control tokens of every family serves all of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from puna.prompts.fim import FAMILIES, ContextFile, Family, FimParts, candidates, render
from puna.store import read_gguf_header
from tests.engine.engines import House, house
from tests.tiny_models import cache_folder, smollm2_gguf, tiny_llama

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRST = 49_152  # the first token behind SmolLM2's
CODE = FimParts("def f(x):\n    return ", "\n\nprint(f(1))\n")


def control_tokens() -> tuple[str, ...]:
    """Of all families, without those that SmolLM2 has already."""
    tokens = (token for family in FAMILIES for token in family.guarded)
    weights = smollm2_gguf()
    known = set(read_gguf_header(weights).read_array(weights, "tokenizer.ggml.tokens") or ())
    return tuple(dict.fromkeys(token for token in tokens if token not in known))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def models() -> AsyncIterator[House]:
    weights = tiny_llama(cache_folder(), name="tiny-coder", controls=control_tokens())
    async with house({"coder": weights}) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ids(models: House) -> dict[str, int]:
    """The id of every control token of every family."""
    found: dict[str, int] = {}
    for token in dict.fromkeys(token for family in FAMILIES for token in family.guarded):
        (found[token],) = await models.engine.tokenize(models.subject("coder"), token)
    return found


async def tokens_of(models: House, text: str) -> list[int]:
    return await models.engine.tokenize(models.subject("coder"), text)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_a_prompt_is_the_markers_ids_and_the_texts_tokens(
    models: House, ids: dict[str, int], family: Family
) -> None:
    """Token for token what an engine with special parsing off for user text would be given."""
    prompt = render(family, CODE)
    marked = re.compile("|".join(f"({re.escape(token)})" for token in sorted(family.guarded, key=len, reverse=True)))
    expected: list[int] = []
    for piece in filter(None, marked.split(prompt.text)):
        expected += [ids[piece]] if piece in family.guarded else await tokens_of(models, piece)
    assert await tokens_of(models, prompt.text) == expected
    assert [expected.count(ids[token]) for token in family.markers.fim] == [1] * len(family.markers.fim)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
async def test_V2_user_text_that_spells_control_tokens_becomes_none(
    models: House, ids: dict[str, int], family: Family
) -> None:
    spelled = " ".join(family.guarded)
    parts = FimParts(spelled, spelled, path=spelled, repo=spelled, extra=(ContextFile(spelled, spelled),))
    plain = FimParts("x", "x", path="x", repo="x", extra=(ContextFile("x", "x"),))
    controls = set(ids.values())

    async def controls_in(parts: FimParts) -> list[int]:
        return [token for token in await tokens_of(models, render(family, parts).text) if token in controls]

    assert await controls_in(parts) == await controls_in(plain)


async def test_D3_the_models_own_vocabulary_tells_its_families(models: House) -> None:
    """What the store reads from the file is what detection reads."""
    subject = models.subject("coder")
    header = subject.model.header
    assert header is not None
    info = {
        key: header.read_array(subject.model.weights, key)
        for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type")
    }
    found = candidates("seed-coder", {"model_info": info})
    assert [(one.family.name, one.source) for one in found if one.family] == [("seed-coder", "D3")]
