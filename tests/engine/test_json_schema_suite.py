"""The JSON Schema test suite's own schemas as `format`: an answer that validates, or a refusal that says why."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from puna.engine.effects import Processes, RunnerHandle
from puna.engine.llama import LlamaDriver
from puna.engine.runner import Launch
from puna.engine.types import SamplingOptions
from puna.environment import child_environment
from tests.engine.conftest import plan_for
from tests.engine.schemasuite import VALIDATORS, answered, brief, suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT_ONCE = 4


@asynccontextmanager
async def started(model: Path) -> AsyncIterator[RunnerHandle]:
    effects = Processes(Launch(environment=child_environment()))
    running = await effects.start(plan_for(model), "suite")
    try:
        yield running
    finally:
        await effects.stop(running)
        await effects.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner(tiny_llama: Path) -> AsyncIterator[RunnerHandle]:
    async with started(tiny_llama) as running:
        yield running


def fits(answer: Any, schema: Any, draft: str, place: str) -> bool:
    """Formats and media types are remarks, here as in JSON Schema."""
    validator = VALIDATORS[draft]
    remarks = validator is None or place.startswith(f"{draft}/optional/content.json")
    return remarks or bool(validator(schema, validate_formats=False).is_valid(answer))


async def check(
    driver: LlamaDriver, schemas: Sequence[tuple[str, str, Any]], sampling: SamplingOptions
) -> Counter[str]:
    """How often an answer was whole, cut or refused; the whole ones validate and the refusals say why."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def ask(schema: Any) -> tuple[str, str]:
        async with limit:
            return await answered(driver, schema, sampling)

    answers = await asyncio.gather(*(ask(schema) for _, _, schema in schemas))
    for (draft, place, schema), (outcome, text) in zip(schemas, answers, strict=True):
        if outcome == "whole":
            assert fits(json.loads(text), schema, draft, place), (place, schema, text)
        elif outcome == "refused":
            assert text.startswith("invalid format: "), place
    return Counter(outcome for outcome, _ in answers)


async def test_every_schema_of_the_suite_is_followed_or_refused(runner: RunnerHandle) -> None:
    schemas = [entry for entry in suite() if isinstance(entry[2], dict)]
    assert len(schemas) > 400
    pid = runner.pid
    counts = await check(runner.driver, schemas, await brief(runner.driver, seed=1))
    assert counts["whole"] > 150, counts
    assert counts["cut"] < counts["whole"] / 3, counts
    assert (runner.pid, await runner.driver.healthy()) == (pid, True)


async def test_a_real_model_follows_schemas_of_the_suite(smollm2_gguf: Path) -> None:
    """Those that say what they want: where anything fits, it tells a story."""
    telling = {"type", "enum", "const", "$ref"}
    draft7 = [entry for entry in suite() if entry[0] == "draft7" and isinstance(entry[2], dict)]
    schemas = [entry for entry in draft7 if telling & entry[2].keys()][::2]
    async with started(smollm2_gguf) as smol:
        counts = await check(smol.driver, schemas, replace(await brief(smol.driver, seed=1), num_predict=48))
    assert counts["whole"] >= 5, counts
