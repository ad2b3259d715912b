"""llama.cpp's routes at the editors' door: contract code-completion R4, R5, S4, I1 to I6."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from puna.code.types import CodeConfig
from tests.code.doors import Door, door
from tests.code.scripted import BASE, CHATTER, Scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = itertools.count()
SHAPE = {
    "content",
    "stop",
    "stop_type",
    "model",
    "tokens_cached",
    "tokens_evaluated",
    "tokens_predicted",
    "truncated",
    "timings",
}
TIMINGS = {
    "prompt_n",
    "prompt_ms",
    "prompt_per_token_ms",
    "prompt_per_second",
    "predicted_n",
    "predicted_ms",
    "predicted_per_token_ms",
    "predicted_per_second",
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[Door]:
    async with door(Scripted(script=["first(", "sec", "ond)"])) as found:
        yield found


def ask(**more: Any) -> dict[str, Any]:
    return {
        "input_prefix": f"import os\nn{next(_numbers)}\n",
        "input_suffix": "\nend()\n",
        "prompt": "value = ",
        **more,
    }


def sent(opened: Door) -> dict[str, Any]:
    return opened.model.asked[-1]


async def test_R4_infill_has_llamacpps_shape(opened: Door) -> None:
    answer = (await opened.post("/infill", ask(model="m"))).json
    assert answer.keys() >= SHAPE
    assert answer["timings"].keys() >= TIMINGS
    assert (answer["content"], answer["stop"], answer["stop_type"]) == ("first(second)", True, "eos")
    assert (answer["tokens_evaluated"], answer["tokens_predicted"], answer["model"]) == (20, 3, "m")
    assert (answer["timings"]["prompt_n"], answer["timings"]["predicted_n"]) == (20, 3)


async def test_R4_extra_files_reach_the_prompt(opened: Door) -> None:
    await opened.post("/infill", ask(input_extra=[{"filename": "lib/util.py", "text": "def helper(): ..."}]))
    assert "lib/util.py" in sent(opened)["prompt"]
    assert "def helper(): ..." in sent(opened)["prompt"]


async def test_R4_a_word_or_the_limit_may_end_it(opened: Door) -> None:
    answer = (await opened.post("/infill", ask(stop=["ond"]))).json
    assert (answer["content"], answer["stop_type"]) == ("first(sec", "word")
    async with door(Scripted(script=["x"], last={"done_reason": "length"})) as cut:
        assert (await cut.post("/infill", ask(n_predict=1))).json["stop_type"] == "limit"


@pytest.mark.parametrize("missing", ["input_prefix", "input_suffix"])
async def test_R4_both_parts_are_required(opened: Door, missing: str) -> None:
    body = ask()
    del body[missing]
    reply = await opened.post("/infill", body)
    assert reply.status == 400
    assert reply.json["error"] == {"code": 400, "message": f'"{missing}" is required', "type": "invalid_request_error"}
    assert (await opened.post("/infill", ask(input_suffix=""))).status == 200


async def test_R4_several_completions_are_a_list(opened: Door) -> None:
    answers = (await opened.post("/infill", ask(n_cmpl=2, temperature=0.8))).json
    assert [answer["content"] for answer in answers] == ["first(second)"] * 2
    assert [answer["index"] for answer in answers] == [0, 1]
    assert (await opened.post("/infill", ask(n_cmpl=5))).status == 400


async def test_R4_options_reach_the_model(opened: Door) -> None:
    given = {"temperature": 0.1, "top_k": 40, "top_p": 0.9, "min_p": 0.1, "seed": 5}
    more = {"samplers": ["top_k", "infill"], "cache_prompt": True, "t_max_prompt_ms": 500, "n_predict": 9}
    await opened.post("/infill", ask(**given, **more))
    options = sent(opened)["options"]
    assert {name: options[name] for name in given} == given
    assert options["num_predict"] == 9


@pytest.mark.parametrize("path", ["/infill", "/completion"])
async def test_S4_a_stream_ends_with_the_totals(opened: Door, path: str) -> None:
    body = ask(stream=True) if path == "/infill" else {"prompt": ask()["input_prefix"], "stream": True}
    reply = await opened.post(path, body)
    assert reply.headers["content-type"].startswith("text/event-stream")
    *pieces, last = reply.events
    assert "".join(piece["content"] for piece in pieces) == "first(second)"
    assert all(piece["stop"] is False for piece in pieces)
    assert last["stop"] is True
    assert last["content"] == ""
    assert last.keys() >= SHAPE


async def test_R5_a_raw_prompt_in_the_models_own_markers_is_sent_as_it_is(opened: Door) -> None:
    rendered = f"<|fim_prefix|>{ask()['input_prefix']}<|fim_suffix|>)<|fim_middle|>"
    answer = (await opened.post("/completion", {"prompt": rendered, "n_predict": 9})).json
    assert answer["content"] == "first(second)"
    assert (sent(opened)["prompt"], sent(opened)["raw"]) == (rendered, True)


async def test_R5_markers_of_another_family_are_translated(opened: Door) -> None:
    await opened.post("/completion", {"prompt": f"<fim_prefix>n{next(_numbers)}<fim_suffix>b<fim_middle>"})
    assert "<fim_prefix>" not in sent(opened)["prompt"]
    assert sent(opened)["prompt"].startswith("<|fim_prefix|>")


@pytest.mark.parametrize(
    "body", [{"prompt": ["a", "b"]}, {"prompt": [1, 2]}, {"prompt": 7}, {"prompt": "x", "n_predict": "many"}]
)
async def test_R5_wrong_values_are_refused(opened: Door, body: dict[str, Any]) -> None:
    reply = await opened.post("/completion", body)
    assert (reply.status, reply.json["error"]["code"]) == (400, 400)


async def test_I1_the_prompt_stands_at_the_end_of_the_prefix(opened: Door) -> None:
    body = ask(prompt="value = comp")
    await opened.post("/infill", body)
    prompt = sent(opened)["prompt"]
    joined = prompt.replace("<|fim_suffix|>\nend()\n<|fim_middle|>", "")
    assert joined.endswith(body["input_prefix"] + "value = comp")


async def test_I2_no_tokens_warm_the_cache_and_give_no_text(opened: Door) -> None:
    answer = (await opened.post("/infill", ask(n_predict=0))).json
    assert (answer["content"], answer["stop"], answer["tokens_evaluated"]) == ("", True, 20)
    assert sent(opened)["options"]["num_predict"] <= 1


async def test_I3_response_fields_are_selected_flat_and_unknown_names_dropped(opened: Door) -> None:
    fields = ["content", "timings/prompt_n", "timings/predicted_ms", "nothing", "timings/nothing", "content/x"]
    answer = (await opened.post("/infill", ask(response_fields=fields))).json
    assert list(answer) == ["content", "timings/prompt_n", "timings/predicted_ms"]
    assert answer["timings/prompt_n"] == 20


async def test_I4_the_time_for_the_answer_counts_from_its_first_line_break() -> None:
    """The limit is over at once, and still the first line comes whole."""
    script = ["a = [", 0.05, "1,", 0.05, "\n", "2,\n", "3]"]
    async with door(Scripted(script=script)) as opened:
        answer = (await opened.post("/infill", ask(t_max_predict_ms=20, input_suffix="\n\n\nend()"))).json
        assert answer["content"].startswith("a = [1,")
        assert "3]" not in answer["content"]


async def test_I4_lines_left_of_the_indentation_end_the_answer() -> None:
    async with door(Scripted(script=["a(\n", "        b\n", "    )\n", "c"])) as opened:
        body = ask(n_indent=4, prompt="    ", input_suffix="\n\nend()")
        assert "\nc" not in (await opened.post("/infill", body)).json["content"]


async def test_I5_a_model_that_fills_no_gaps_is_refused() -> None:
    for show, config in (
        (BASE, CodeConfig(emulation=False)),
        (CHATTER, CodeConfig(emulation=False)),
    ):
        async with door(Scripted(models={"m": show}), config) as opened:
            reply = await opened.post("/infill", ask())
            assert (reply.status, reply.json["error"]["type"]) == (501, "not_supported_error")
    async with door(Scripted(models={"m": CHATTER})) as opened:
        assert (await opened.post("/infill", ask())).status == 200


async def test_I6_a_slot_is_a_session() -> None:
    """A newer question of the same slot ends the older one, which keeps what it has (X3)."""
    async with door(Scripted(script=["first", 0.3, "second"], endless=True)) as opened:
        import asyncio

        older = asyncio.create_task(opened.post("/infill", ask(id_slot=2, input_suffix="")))
        while not opened.model.lines:
            await asyncio.sleep(0.01)
        newer = asyncio.create_task(opened.post("/infill", ask(id_slot=2, input_suffix="")))
        ended = (await asyncio.wait_for(older, 5)).json
        assert ended["content"].startswith("first")
        assert ended["id_slot"] == 2
        other = asyncio.create_task(opened.post("/infill", ask(id_slot=3, input_suffix="")))
        await asyncio.sleep(0.1)
        assert not newer.done()
        for task in (newer, other):
            task.cancel()
