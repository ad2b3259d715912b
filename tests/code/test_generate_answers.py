"""`/api/generate`: what it reads and how it answers in both dialects. Contract code-completion §1.3, §1.7, §1.8."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from puna.code.config import WireConfig
from puna.code.dialects import seconds
from tests.code.doors import Door, door
from tests.code.scripted import BASE, Scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = itertools.count()
SEED_KEYS = ["model", "created_at", "response", "input_tokens", "output_tokens", "total_duration", "done"]
OTHER_DURATIONS = {"load_duration", "prompt_eval_duration", "eval_duration"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[Door]:
    async with door(Scripted(script=["first(", "sec", "ond)"])) as found:
        yield found


def ask(**more: Any) -> dict[str, Any]:
    """A prompt that nobody had before: what is on the screen already costs nothing, and would say so."""
    return {"prompt": f"n{next(_numbers)} = ", **more}


def sent(opened: Door) -> dict[str, Any]:
    """What the endpoint was asked last."""
    return opened.model.asked[-1]


async def test_R1_the_seeds_answer_has_its_keys_in_its_units(opened: Door) -> None:
    began = time.perf_counter()
    answer = (await opened.post("/api/generate", ask())).json
    waited = time.perf_counter() - began
    assert list(answer)[: len(SEED_KEYS)] == SEED_KEYS
    assert answer["model"] == "default"
    assert answer["response"] == "first(second)"
    assert (answer["input_tokens"], answer["output_tokens"]) == (20, 3)
    assert (answer["prompt_eval_count"], answer["eval_count"]) == (20, 3)
    assert answer["done"] is True
    assert answer["done_reason"] == "stop"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", answer["created_at"])
    assert abs(datetime.now() - datetime.fromisoformat(answer["created_at"])) < timedelta(seconds=5)
    assert isinstance(answer["total_duration"], float)
    assert 0 < answer["total_duration"] <= waited  # U1
    assert not OTHER_DURATIONS & answer.keys()
    assert "puna" not in answer


@pytest.mark.parametrize("elapsed_ns", [1, 999, 1000, 999_999, 1_000_000, 2_149_900_000])
async def test_U1_a_duration_is_above_zero_and_never_more_than_it_was(elapsed_ns: int) -> None:
    assert 0 < seconds(elapsed_ns) <= max(elapsed_ns, 1000) / 1e9
    assert seconds(2_149_999_999) == 2.149


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/ollama/api/generate", {}),
        ("/api/generate?dialect=ollama", {}),
        ("/api/generate", {"User_Agent": "ollama-python/0.6"}),
    ],
)
async def test_R12_ollamas_dialect_has_nanoseconds_and_streams(
    opened: Door, path: str, headers: Mapping[str, str]
) -> None:
    began = time.perf_counter_ns()
    reply = await opened.post(path, ask(model="m"), **headers)
    waited = time.perf_counter_ns() - began
    assert reply.headers["content-type"] == "application/x-ndjson"
    last = reply.lines[-1]
    assert last["model"] == "m"
    assert isinstance(last["total_duration"], int)
    assert 0 < last["total_duration"] <= waited
    assert all(isinstance(last[name], int) for name in OTHER_DURATIONS)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z", last["created_at"])
    assert abs(datetime.now(UTC) - datetime.fromisoformat(last["created_at"])) < timedelta(seconds=5)
    assert (last["input_tokens"], last["eval_count"]) == (20, 3)


@pytest.mark.parametrize(("dialect", "kind"), [("seed", float), ("ollama", int)])
async def test_R12_the_operator_may_fix_the_dialect(dialect: Any, kind: type) -> None:
    async with door(wire=WireConfig(dialect=dialect)) as opened:
        for path in ("/api/generate", "/ollama/api/generate"):
            reply = await opened.post(path, ask(stream=False))
            assert type(reply.json["total_duration"]) is kind


async def test_R12_everything_is_under_ollama_too(opened: Door) -> None:
    for path in ("/ollama/api/tags", "/ollama/v1/models", "/ollama/api/version", "/ollama/", "/ollama"):
        assert (await opened.get(path)).status == 200, path
    assert (await opened.get("/ollamas/api/tags")).status == 404


async def test_S1_a_stream_is_one_object_per_line(opened: Door) -> None:
    reply = await opened.post("/api/generate", ask(stream=True))
    assert reply.headers["content-type"] == "application/x-ndjson"
    *pieces, last = reply.lines
    assert all(list(piece) == ["model", "created_at", "response", "done"] and not piece["done"] for piece in pieces)
    assert list(last)[: len(SEED_KEYS)] == SEED_KEYS
    assert last["done"] is True
    assert len(pieces) > 1


async def test_S2_without_stream_the_answer_is_a_stream_of_one_line(opened: Door) -> None:
    reply = await opened.post("/api/generate", ask())
    assert [line["done"] for line in reply.lines] == [True]


async def test_S6_pieces_joined_are_the_whole_answer(opened: Door) -> None:
    whole = (await opened.post("/api/generate", ask())).json["response"]
    lines = (await opened.post("/api/generate", ask(stream=True))).lines
    assert "".join(line["response"] for line in lines) == whole


async def test_S7_a_failure_after_the_first_byte_is_an_error_and_never_done() -> None:
    async with door(Scripted(script=["begin", {"error": "the runner died"}])) as opened:
        for path, body in (("/api/generate", ask(stream=True)), ("/ollama/api/generate", ask())):
            reply = await opened.post(path, body)
            assert reply.status == 200
            assert reply.lines[0]["response"] == "begin"
            assert reply.lines[-1]["code"] == "error.upstream"
            assert not any(line.get("done") for line in reply.lines)
        events = (await opened.post("/v1/completions", ask(stream=True))).events
        assert events[-1]["error"]["code"] == "error.upstream"
        assert "[DONE]" not in events
        events = (await opened.post("/completion", ask(stream=True))).events
        assert events[-1]["error"]["code"] == 502
        assert not any(event.get("stop") for event in events)


async def test_S7_a_failure_before_the_first_byte_is_a_status() -> None:
    async with door(Scripted(refusal=(500, "no memory"))) as opened:
        for stream in (True, False):
            reply = await opened.post("/api/generate", ask(stream=stream))
            assert (reply.status, reply.json["code"]) == (502, "error.upstream")


async def test_R1_options_have_the_published_defaults(opened: Door) -> None:
    await opened.post("/api/generate", ask())
    options = sent(opened)["options"]
    assert (options["num_predict"], options["temperature"], options["seed"]) == (128, 0, 1234)
    assert sent(opened)["stream"] is True  # X2


async def test_R1_options_reach_the_model(opened: Door) -> None:
    given = {
        "num_predict": 7,
        "temperature": 0.5,
        "seed": 3,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.1,
        "repeat_penalty": 1.1,
    }
    await opened.post("/api/generate", ask(options={**given, "stop": "x", "mirostat": 2}, keep_alive=1800))
    assert {name: sent(opened)["options"][name] for name in given} == given
    assert "mirostat" not in sent(opened)["options"]
    assert sent(opened)["keep_alive"] == 1800


@pytest.mark.parametrize(("limit", "asked"), [(-1, 4096), (10**9, 4096), (1, 1)])
async def test_R1_no_limit_is_a_large_one(opened: Door, limit: int, asked: int) -> None:
    await opened.post("/api/generate", ask(options={"num_predict": limit}))
    assert sent(opened)["options"]["num_predict"] == asked


@pytest.mark.parametrize("stop", ["ond", ["zzz", "ond"]])
async def test_R1_stop_is_a_text_or_a_list(opened: Door, stop: object) -> None:
    assert (await opened.post("/api/generate", ask(options={"stop": stop}))).json["response"] == "first(sec"


@pytest.mark.parametrize(
    "body",
    [
        {"options": {"stop": 7}},
        {"options": {"stop": [7]}},
        {"options": {"num_predict": "7"}},
        {"stream": "yes"},
        {"puna": {"n": 9}},
        {"puna": {"mode": "x"}},
        {"puna": {"extra": ["x"]}},
        {"template": "{"},
    ],
)
async def test_R1_wrong_values_are_refused(opened: Door, body: dict[str, Any]) -> None:
    reply = await opened.post("/api/generate", ask(**body))
    assert (reply.status, reply.json["code"]) == (400, "error.invalid_request_format")


@pytest.mark.parametrize("body", [{"images": ["aGk="]}, {"format": "json"}, {"format": {"type": "object"}}])
async def test_R1_images_and_formats_are_not_supported(opened: Door, body: dict[str, Any]) -> None:
    reply = await opened.post("/api/generate", ask(**body))
    assert (reply.status, reply.json["code"]) == (501, "error.not_supported")
    assert (await opened.post("/api/generate", ask(images=[], format="", think=True, context=[1]))).status == 200


async def test_R1_prompt_may_be_empty_where_a_suffix_is(opened: Door) -> None:
    reply = await opened.post("/api/generate", {"prompt": "", "suffix": f" + {next(_numbers)}"})
    assert reply.json["response"] == "first(second)"


@pytest.mark.parametrize(
    "body", [{}, {"prompt": ""}, {"prompt": "", "suffix": ""}, {"prompt": "# Path: a.py\n"}, {"options": {}}]
)
async def test_R1_a_request_without_text_is_empty(opened: Door, body: dict[str, Any]) -> None:
    reply = await opened.post("/api/generate", body)
    assert (reply.status, reply.json["code"]) == (400, "error.empty_request")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"model": "m"}, "load"),
        ({"keep_alive": 60}, "load"),
        ({"model": "m", "prompt": ""}, "load"),
        ({"model": "m", "keep_alive": 0}, "unload"),
        ({"keep_alive": "0s"}, "unload"),
    ],
)
async def test_R1_a_model_without_text_is_loaded_or_unloaded(opened: Door, body: dict[str, Any], reason: str) -> None:
    answer = (await opened.post("/api/generate", body)).json
    assert (answer["response"], answer["done"], answer["done_reason"]) == ("", True, reason)
    asked = [call for path, call in opened.model.calls if path == "/api/generate"][-1]
    assert asked["model"] == "qwen2.5-coder:1.5b"
    assert asked.get("keep_alive") == ("0s" if reason == "unload" else body.get("keep_alive"))


async def test_R1_the_extension_says_where_the_cursor_is(opened: Door) -> None:
    more = {
        "language": "Go",
        "path": "src/a.go",
        "repo": "r",
        "extra": [{"filename": "src/b.go", "text": "func helper()"}],
    }
    await opened.post("/api/generate", ask(suffix="\n}", puna=more))
    assert "src/b.go" in sent(opened)["prompt"]
    assert "func helper()" in sent(opened)["prompt"]


async def test_R1_debug_explains_the_answer(opened: Door) -> None:
    puna = (await opened.post("/api/generate", ask(puna={"debug": True}))).json["puna"]
    assert set(puna) == {"family", "order", "source", "cached_tokens", "mode", "trims"}
    assert (puna["family"], puna["order"], puna["source"]) == ("qwen-coder", "psm", "D4")


async def test_R1_further_choices_stand_beside_the_first(opened: Door) -> None:
    for stream in (False, True):
        more = {"puna": {"n": 3}, "options": {"temperature": 0.9}, "stream": stream}
        lines = (await opened.post("/api/generate", ask(**more))).lines
        assert "".join(line["response"] for line in lines) == "first(second)"
        assert lines[-1]["puna"]["choices"] == ["first(second)"] * 2
        assert sorted(body["options"]["seed"] for body in opened.model.asked[-3:]) == [1234, 1235, 1236]


async def test_R1_mode_warm_evaluates_and_says_nothing(opened: Door) -> None:
    answer = (await opened.post("/api/generate", ask(puna={"mode": "warm"}))).json
    assert (answer["response"], answer["done"], answer["input_tokens"]) == ("", True, 20)


async def test_R1_an_unknown_model_name_means_the_served_one(opened: Door) -> None:
    answer = (await opened.post("/api/generate", ask(model="gpt-9"))).json
    assert (answer["model"], sent(opened)["model"]) == ("gpt-9", "qwen2.5-coder:1.5b")


async def test_P5_raw_text_reaches_a_base_model_byte_for_byte() -> None:
    async with door(Scripted(models={"base": BASE})) as opened:
        await opened.post("/api/generate", {"prompt": "# a\tb\r\n  é ", "raw": True})
        assert (sent(opened)["prompt"], sent(opened)["raw"]) == ("# a\tb\r\n  é ", True)
