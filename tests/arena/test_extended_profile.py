"""What the extended profile adds to the chat routes (contract arena §2.1, §2.9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from puna.arena.request import Limits
from tests.arena.doors import Door, door
from tests.code.scripted import LAST, Script, Scripted, upstream

Json = dict[str, Any]

pytestmark = pytest.mark.asyncio(loop_scope="module")

HISTORY = [{"role": "user", "content": "2+2?"}]
THOUGHT: Json = {"message": {"content": "", "thinking": "hm"}, "done": False}
SCRIPTS: dict[str, Script] = {
    "good:1b": ["4", "."],
    "deep:1b": [THOUGHT, "4"],
    "dies:1b": ["half", {"error": "the runner died"}],
}
COUNTED = {
    **LAST, "done_reason": "length", "load_duration": 300_000_000, "prompt_eval_count": 20,
    "prompt_eval_duration": 100_000_000, "eval_count": 8, "eval_duration": 400_000_000,
}  # fmt: skip


class Loaded(Scripted):
    """Says how much context its models have."""

    def _listed(self, name: str) -> Json:
        return {**super()._listed(name), "context_length": 280}


@pytest.fixture(scope="module")
def model() -> Scripted:
    shown: Json = {"capabilities": ["completion"]}
    return Loaded(script=lambda body: SCRIPTS[body["model"]], models=dict.fromkeys(SCRIPTS, shown), last=dict(COUNTED))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened(model: Scripted) -> AsyncIterator[Door]:
    async with upstream(model) as (_, endpoint), door(endpoint, limits=Limits(messages=3)) as found:
        yield found


def ask(*instances: Json, **more: Any) -> Json:
    return {"history": HISTORY, "model_instances": list(instances), "extended": True, **more}


async def lines(opened: Door, *instances: Json, **more: Any) -> list[Json]:
    return (await opened.post("/api/stream_chat", ask(*instances, **more))).lines


async def test_every_line_says_who_and_when(opened: Door) -> None:
    found = await lines(opened, {"model": "good:1b", "id": "x"}, {"model": "deep:1b", "id": "y"})
    for instance_id, name in (("x", "good:1b"), ("y", "deep:1b")):
        mine = [line for line in found if line["instance_id"] == instance_id]
        assert [line["seq"] for line in mine] == list(range(len(mine)))
        assert {line["model"] for line in mine} == {name}
        times = [line["t_ms"] for line in mine]
        assert times == sorted(times)
        assert mine[0]["state"] == "queued"
    assert {line["event"] for line in found} == {"status", "thinking", "token", "done"}


async def test_phases_come_in_their_order_and_thinking_is_told_apart(opened: Door) -> None:
    found = await lines(opened, {"model": "deep:1b", "id": "y"})
    states = [line["state"] for line in found if line["event"] == "status"]
    order = ["queued", "loading", "prompt", "thinking", "generating"]
    assert states == [state for state in order if state in states]
    assert states[-2:] == ["thinking", "generating"]
    assert [line["thinking"] for line in found if line["event"] == "thinking"] == ["hm"]
    assert [(line["token"], line["done"]) for line in found if line["event"] == "token"] == [("4", False)]


async def test_the_query_asks_for_it_as_well(opened: Door) -> None:
    body = {"history": HISTORY, "models": ["good:1b"]}
    reply = await opened.post("/api/stream_chat?extended=1", body)
    assert {(line["instance_id"], line["model"]) for line in reply.lines} == {("good:1b", "good:1b")}
    assert "event" not in (await opened.post("/api/stream_chat", body)).lines[0]


async def test_the_last_line_has_all_measures(opened: Door) -> None:
    found = (await lines(opened, {"model": "good:1b", "id": "x", "num_ctx": 56}))[-1]
    assert (found["event"], found["token"], found["done"]) == ("done", "", True)
    assert found["metrics"] == {"tokens": 8, "duration_s": 0.4, "tokens_per_sec": 20.0}
    assert (found["done_reason"], found["stopped"], found["history_truncated"]) == ("length", False, False)
    times = found["timings"]
    measured = ("queue_s", "wall_s", "first_token_s", "first_answer_s")
    assert all(times.pop(name) >= 0 for name in measured)
    assert times == {
        "load_s": 0.3, "prompt_s": 0.1, "thinking_s": None, "generation_s": 0.4, "prompt_tokens": 20,
        "output_tokens": 8, "prompt_per_s": 200.0, "output_per_s": 20.0, "context_used": 0.5, "done_reason": "length",
        "cold": True, "contended": False, "stopped": False,
    }  # fmt: skip


async def test_the_context_is_that_of_the_loaded_model_where_none_was_asked_for() -> None:
    looked = asyncio.Event()

    class Looked(Loaded):
        def _plain(self, path: str, body: Json) -> web.Response:
            if path == "/api/ps":
                looked.set()
            return super()._plain(path, body)

    server = Looked(script=[looked, 0.1, "x"], models={"m:1b": {}}, last=dict(COUNTED))
    async with upstream(server) as (_, endpoint), door(endpoint) as opened:
        found = await lines(opened, {"model": "m:1b"})
    assert found[-1]["timings"]["context_used"] == 0.1
    assert [line["state"] for line in found if line["event"] == "status"] == ["queued", "prompt", "generating"]


async def test_the_context_of_a_model_that_was_loaded_for_this_question_is_known() -> None:
    looked = asyncio.Event()

    class Late(Loaded):
        """Lists its model from the second look on."""

        def _plain(self, path: str, body: Json) -> web.Response:
            if path != "/api/ps" or looked.is_set():
                return super()._plain(path, body)
            looked.set()
            return web.json_response({"models": []})

    server = Late(script=[looked, "x"], models={"m:1b": {}}, last=dict(COUNTED))
    async with upstream(server) as (_, endpoint), door(endpoint) as opened:
        found = await lines(opened, {"model": "m:1b"})
    assert found[-1]["timings"]["context_used"] == 0.1


async def test_a_model_that_is_not_in_memory_is_being_loaded() -> None:
    server = Scripted(script=[0.3, "x"], models={})
    async with upstream(server) as (_, endpoint), door(endpoint) as opened:
        found = await lines(opened, {"model": "m:1b"})
    assert [line["state"] for line in found if line["event"] == "status"] == ["queued", "loading", "generating"]


async def test_X3_counts_that_nobody_made_are_marked() -> None:
    async with upstream(Scripted(script=["a", "b"], last={})) as (_, endpoint), door(endpoint) as opened:
        found = (await lines(opened, {"model": "m"}))[-1]
    assert (found["metrics"]["tokens"], found["metrics"]["estimated"]) == (2, True)


async def test_a_failure_is_a_last_line_too(opened: Door) -> None:
    found = (await lines(opened, {"model": "dies:1b", "id": "x"}))[-1]
    assert (found["event"], found["done"], found["error"]) == ("done", True, "the runner died")
    assert "metrics" not in found


async def test_answers_in_one_piece_say_more_too(opened: Door) -> None:
    reply = await opened.post("/api/chat", ask({"model": "deep:1b", "id": "x"}, {"model": "good:1b", "id": "y"}))
    found = reply.json["results"]["x"]
    assert (found["response"], found["thinking"], found["done_reason"]) == ("4", "hm", "length")
    assert found["timings"]["cold"]
    assert found["timings"]["contended"]  # by the other column


async def test_each_instance_may_have_its_own_history(opened: Door, model: Scripted) -> None:
    mine = [{"role": "user", "content": str(number)} for number in range(5)]
    await_lines = await lines(
        opened, {"model": "good:1b", "id": "x"}, {"model": "deep:1b", "id": "y"}, histories={"x": mine}
    )
    asked = {body["model"]: body["messages"] for body in model.asked[-2:]}
    assert asked == {"good:1b": mine[2:], "deep:1b": HISTORY}
    cut = {line["instance_id"]: line["history_truncated"] for line in await_lines if line["event"] == "done"}
    assert cut == {"x": True, "y": False}


async def test_histories_alone_are_enough_when_every_instance_has_one(opened: Door) -> None:
    body = {"model_instances": [{"model": "good:1b", "id": "x"}], "histories": {"x": HISTORY}, "extended": True}
    assert (await opened.post("/api/chat", body)).json["response"] == "4."
    body["histories"] = {"y": HISTORY}
    assert (await opened.post("/api/chat", body)).told == (400, "No messages provided")


async def test_the_settings_of_an_instance_go_upstream(opened: Door, model: Scripted) -> None:
    more = {
        "system": "Be short.", "think": "low", "format": {"type": "object"}, "stop": ["\n"], "num_ctx": 512,
        "min_p": 0.05, "top_k": 5,
    }  # fmt: skip
    history = [{"role": "system", "content": "Be long."}, *HISTORY]
    await lines(opened, {"model": "good:1b", **more}, history=history)
    asked = model.asked[-1]
    assert asked["messages"] == [{"role": "system", "content": "Be short."}, *HISTORY]
    assert (asked["think"], asked["format"]) == ("low", {"type": "object"})
    assert (asked["options"]["stop"], asked["options"]["num_ctx"], asked["options"]["min_p"]) == (["\n"], 512, 0.05)
    assert asked["options"]["top_k"] == 5


async def test_the_models_own_defaults_can_be_asked_for(opened: Door, model: Scripted) -> None:
    await lines(opened, {"model": "good:1b", "use_model_defaults": True})
    assert "options" not in model.asked[-1]
    await lines(opened, {"model": "good:1b", "use_model_defaults": True, "num_ctx": 99})
    assert model.asked[-1]["options"] == {"num_ctx": 99}


async def test_the_basic_profile_knows_none_of_it(opened: Door, model: Scripted) -> None:
    instance = {"model": "good:1b", "system": "x", "num_ctx": 7, "stop": 5, "use_model_defaults": True}
    history = [{**HISTORY[0], "images": ["x"]}]
    body = {"history": history, "model_instances": [instance], "schedule": "?", "histories": {}}
    assert (await opened.post("/api/chat", body)).status == 200
    assert model.asked[-1]["messages"] == HISTORY
    assert "num_ctx" not in model.asked[-1]["options"]
    assert len(model.asked[-1]["options"]) == 5


async def test_sequential_asks_one_after_the_other_each_loaded_before() -> None:
    server = Scripted(script=["x", 0.02])
    async with upstream(server) as (_, endpoint), door(endpoint) as opened:
        asked = [{"model": name, "num_ctx": 64} for name in ("a", "b", "c")]
        found = await lines(opened, *asked, schedule="sequential")
        assert server.most_running == 1
        assert [body["model"] for body in server.asked] == ["a", "b", "c"]
        loads = [body for path, body in server.calls if path == "/api/generate"]
        assert [(body["model"], body["options"]["num_ctx"]) for body in loads] == [("a", 64), ("b", 64), ("c", 64)]
        assert not any(line["timings"]["contended"] for line in found if line["event"] == "done")
        refused = await opened.post("/api/chat", ask({"model": "a"}, schedule="random"))
        assert refused.told == (400, "Invalid schedule: must be one of parallel, sequential")


async def test_instances_of_one_model_reach_the_upstream_together() -> None:
    together = asyncio.Event()

    def script(body: Json) -> Script:
        if server.running == 6:
            together.set()
        return [together, "x"]

    server = Scripted(script=script)
    async with upstream(server) as (_, endpoint), door(endpoint) as opened, asyncio.timeout(5):
        await lines(opened, *({"model": "m", "temperature": 0.1 * number} for number in range(1, 7)))
    assert len({str(body["options"].get("num_ctx")) for body in server.asked}) == 1
