"""Threat T17: whatever is sent as a schema, it is followed or refused, and the engine lives on."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from random import Random
from typing import Any

import jsonschema_rs
import pytest
import pytest_asyncio

from puna.engine.effects import Processes, RunnerHandle
from puna.engine.runner import Launch
from puna.engine.schema import Constraint, constrain
from puna.engine.schema.patterns import normalise_pattern
from puna.engine.schema.refused import Refused
from puna.environment import child_environment
from puna.errors import BadRequest
from tests.engine import hostileschemas
from tests.engine.conftest import plan_for
from tests.engine.schemasuite import answered, brief

SCHEMAS, PATTERNS = 5_000, 2_000
AT_ONCE = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner(tiny_llama: Path) -> AsyncIterator[RunnerHandle]:
    effects = Processes(Launch(environment=child_environment()))
    started = await effects.start(plan_for(tiny_llama), "tiny")
    yield started
    await effects.stop(started)
    await effects.close()


def of_pattern(text: str) -> dict[str, Any]:
    return {"type": "string", "pattern": text}


def chain(links: int, **last: Any) -> dict[str, Any]:
    """Each definition is a list of a hundred of the next."""
    each = {f"d{n}": {"type": "array", "minItems": 100, "items": {"$ref": f"#/$defs/d{n + 1}"}} for n in range(links)}
    return {"$ref": "#/$defs/d0", "$defs": {**each, f"d{links}": last}}


INFINITE = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}

BODIES: dict[str, tuple[dict[str, Any], str | None]] = {
    "llama.cpp-26600 nested groups": (of_pattern("(" * 60_000 + "a" + ")" * 60_000), "longer than 512"),
    "llama.cpp-26600 as deep as fits": (of_pattern("(" * 255 + ")" * 255), "nested deeper"),
    "llama.cpp-25284 nested schema": ({"items": hostileschemas.nest("items", 60_000)}, "nested deeper"),
    "llama.cpp-25959 contains itself": ({"$ref": "#"}, "nothing fits"),
    "llama.cpp-25959 a circle of parts": (
        {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}, "nothing fits"),
    "llama.cpp-25959 itself or not": ({"anyOf": [{"$ref": "#"}, {"const": "x"}]}, None),
    "llama.cpp-12597 empty stack": (of_pattern("^(?:[^\\s\\S]|)$"), "no character"),
    "llama.cpp-12597 nothing to say": ({"type": "array", "prefixItems": [False], "minItems": 1}, "nothing fits"),
    "localai-11020 cyclic $ref": (
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "nothing fits"),
    "localai-11020 a cycle with an end": (
        {"$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}, None),
    "localai-11020 a cycle without end": (INFINITE, "nothing fits"),
    "xgrammar-863 {1,129}": (of_pattern("^a{1,129}$"), None),
    "xgrammar CVE-2025-57809 repeats": (of_pattern("^(((a{100}){100}){100})$"), "repeats"),
    "vllm CVE-2025-48942 no schema": ({"type": "nonsense"}, "type must be"),
    "vllm CVE-2025-48943 open group": (of_pattern("([a-z"), "pattern"),
    "vllm CVE-2025-48943 look-behind": (of_pattern("(?<!a)b"), "looks around"),
    "vllm CVE-2025-48944 odd types": ({"type": {"x": 1}, "pattern": 5}, "type must be"),
    "lists of lists of lists": (chain(5, type="null"), "more than 100000"),
    "a large multiple": ({"type": "integer", "multipleOf": 99_999_989}, "steps"),
    "multiples of multiples": ({"allOf": [{"type": "integer", "multipleOf": n} for n in (97, 89, 83)]}, "steps"),
    "thousands of properties": ({"properties": {f"p{n}": {"type": "null"} for n in range(4900)}}, "properties"),
    "nothing between the bounds": ({"type": "integer", "minimum": 1.2, "maximum": 1.8}, "no number"),
    "no multiple between": ({"type": "integer", "minimum": 1, "maximum": 4, "multipleOf": 5}, "no number"),
    "more required than allowed": ({"type": "object", "required": ["a", "b"], "maxProperties": 1}, "nothing fits"),
    "a contradiction": ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "cannot follow"),
    "a constant of the wrong type": ({"type": "string", "const": 1}, "cannot follow"),
    "patterns that exclude each other": ({"allOf": [of_pattern("^a$"), of_pattern("^b$")]}, "cannot follow"),
    "a megabyte of name": ({"properties": {"x" * 2**20: {}}}, "characters"),
    "the compiler's own settings": ({"type": "string", "x-guidance": {"item_separator": "(,{1000}){1000}"}}, None),
    "a name that two places describe": (
        {"properties": {"ab": {"type": "null"}}, "patternProperties": {"^a": {"type": "integer"}}}, "only alone"),
    "choices that overlap": ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, "may overlap"),
    "choices that a tag tells apart": (
        {"oneOf": [{"type": "object", "properties": {"t": {"const": t}}, "required": ["t"]} for t in "ab"]}, None),
    "a far file": ({"$ref": "file:///etc/passwd"}, "nothing is fetched"),
}  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
async def test_T17_every_known_bomb_is_followed_or_refused_with_the_reason(runner: RunnerHandle) -> None:
    pid, sampling = runner.pid, await brief(runner.driver)
    for name, (schema, refusal) in BODIES.items():
        async with asyncio.timeout(20):
            outcome, text = await answered(runner.driver, schema, sampling)
        if refusal is None:
            assert outcome != "refused", (name, text)
        else:
            assert outcome == "refused", (name, text)
            assert refusal in text, (name, text)
    assert (runner.pid, await runner.driver.healthy()) == (pid, True)


def constrained(schema: dict[str, Any]) -> Constraint | None:
    try:
        return constrain(schema)
    except BadRequest as refused:
        said = (refused.status, refused.message[:16], len(refused.message) < 200)
    assert said == (400, "invalid format: ", True)
    return None


def generated(count: int, seed: int = 1) -> list[dict[str, Any]]:
    random = Random(seed)
    return [hostileschemas.schema(random) for _ in range(count)]


def test_T17_generated_schemas_are_followed_or_refused() -> None:
    accepted = sum(constrained(schema) is not None for schema in generated(SCHEMAS))
    assert SCHEMAS / 10 < accepted < SCHEMAS * 9 / 10, accepted


@pytest.mark.parametrize("keyword", hostileschemas.KEYWORDS)
def test_T17_every_keyword_with_every_wrong_value(keyword: str) -> None:
    for value in hostileschemas.WRONG:
        for schema in ({keyword: value}, {"type": "object", "properties": {"a": {keyword: value}}, "required": ["a"]}):
            made = constrained(schema)
            assert made is None or json.dumps(made.schema, allow_nan=False)


def test_T17_generated_patterns_mean_the_same_or_are_refused() -> None:
    random = Random(2)
    accepted = 0
    for number in range(PATTERNS):
        pattern = hostileschemas.pattern(random)
        try:
            made = re.compile(normalise_pattern(pattern))
        except Refused:
            continue
        accepted += 1
        if number % 4:
            continue  # another opinion takes time
        meant = jsonschema_rs.validator_for(of_pattern(pattern.replace("[^]", r"[\s\S]")))  # which it does not know
        for _ in range(10):
            text = "".join(random.choice('abcdef7 -.é🦙"/A') for _ in range(random.randrange(6)))
            assert bool(made.fullmatch(text)) == meant.is_valid(text), (pattern, text)
    assert accepted > PATTERNS / 3


async def check_in_the_engine(runner: RunnerHandle, schemas: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Everything that crosses our check is followed or refused by the engine, which survives it."""
    pid, sampling, limit = runner.pid, await brief(runner.driver, seed=1), asyncio.Semaphore(AT_ONCE)
    counts = dict.fromkeys(("whole", "cut", "refused"), 0)

    async def check(schema: dict[str, Any]) -> None:
        async with limit, asyncio.timeout(60):
            outcome, text = await answered(runner.driver, schema, sampling)
        counts[outcome] += 1
        if outcome == "whole":
            try:
                validator = jsonschema_rs.validator_for(schema, validate_formats=False)
            except (jsonschema_rs.ValidationError, ValueError):
                return  # odd, but what could be read of it was followed
            assert validator.is_valid(json.loads(text)), (schema, text)

    await asyncio.gather(*(check(schema) for schema in schemas if constrained(schema)))
    assert (runner.pid, await runner.driver.healthy()) == (pid, True)
    return counts


@pytest.mark.asyncio(loop_scope="module")
async def test_T17_generated_schemas_and_patterns_never_hurt_the_engine(runner: RunnerHandle) -> None:
    random = Random(3)
    schemas = [*generated(300, seed=4), *(of_pattern(hostileschemas.pattern(random)) for _ in range(100))]
    counts = await check_in_the_engine(runner, schemas)
    assert counts["whole"] > 60, counts


@pytest.mark.soak
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("seed", range(5))
async def test_soak_T17_thousands_of_schemas_and_patterns_never_hurt_the_engine(
    runner: RunnerHandle, seed: int
) -> None:
    random = Random(seed)
    schemas = [
        *generated(SCHEMAS // 5, seed),
        *(of_pattern(hostileschemas.pattern(random)) for _ in range(PATTERNS // 5)),
    ]
    counts = await check_in_the_engine(runner, schemas)
    assert counts["whole"] > 100, counts
