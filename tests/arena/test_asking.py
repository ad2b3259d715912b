"""Many instances asked at once: what each of them says, and what happens when one fails or the reader leaves (§1.7)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from puna.arena.asking import CUT_OFF, QUEUED, Asker, Done, Event, Failed, Question, Silence, Status, Thinking, Token
from puna.arena.request import Limits, read_chat
from puna.arena.running import Running
from puna.arena.upstreams import Upstreams
from puna.client import Endpoint
from tests.code.scripted import LAST, Script, Scripted, upstream

Json = dict[str, Any]


def chat(*instances: Json, **body: Any) -> tuple[Question, ...]:
    asked = {"message": "2+2?", "model_instances": list(instances), **body}
    return read_chat(asked, Limits(instances=64), ("here", "gone"), extended=True).questions


def by_model(scripts: dict[str, Script]) -> Scripted:
    """Each model plays its own script."""
    return Scripted(script=lambda body: scripts[body["model"]])


@asynccontextmanager
async def asker(
    server: Scripted, *, parallel: int = 8, idle_s: float = 20, running: Running | None = None, **more: Any
) -> AsyncIterator[Asker]:
    async with upstream(server) as (_, endpoint):
        ends = {"here": endpoint, "gone": Endpoint(port=1)}
        async with Upstreams(ends) as upstreams:
            yield Asker(upstreams, running or Running(), parallel=parallel, idle_s=idle_s, **more)


async def heard(server: Scripted, *instances: Json, **more: Any) -> dict[str, list[Event]]:
    """All events by instance, in their order; without the phases."""
    found = defaultdict(list)
    async with asker(server, **more) as asking, aclosing(asking.ask(chat(*instances))) as events:
        async for event in events:
            assert not isinstance(event, Silence)
            if isinstance(event, Status):
                continue
            found[event.instance_id].append(event)
    return found


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


async def test_S4_each_instance_ends_once_and_says_nothing_afterwards() -> None:
    server = Scripted(script=["4", ".", {"message": {"content": "!"}, "done": True, **LAST}, "ghost"])
    found = await heard(server, {"model": "m", "id": "a"}, {"model": "m", "id": "b"})
    assert list(found) == ["a", "b"]
    for events in found.values():
        assert [type(event) for event in events] == [Token, Token, Token, Done]
        assert text(events) == "4.!"


async def test_S5_the_joined_tokens_are_the_answer() -> None:
    pieces = ["Grüße ", "\u2028", "", "<b>&amp;</b>", "\n\n", "🦙", " ", "\x00"]
    found = await heard(Scripted(script=pieces), {"model": "m", "id": "a"})
    assert text(found["a"]) == "".join(pieces)
    assert all(event.text for event in found["a"] if isinstance(event, Token))


async def test_S5_instances_interleave_as_they_arrive() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    server = by_model({"a": ["1", first, "3"], "b": ["2", second, "4"]})
    order = []
    async with asker(server) as asking, aclosing(asking.ask(chat({"model": "a"}, {"model": "b"}))) as events:
        async for event in events:
            if isinstance(event, Token):
                order.append(event.text)
                if len(order) == 2:
                    second.set()
                elif event.text == "4":
                    first.set()
    assert (sorted(order[:2]), order[2:]) == (["1", "2"], ["4", "3"])


async def test_S8_a_slow_reader_makes_the_upstream_wait() -> None:
    server = Scripted(script=["x" * 20_000] * 5000)
    async with asker(server) as asking, aclosing(asking.ask(chat({"model": "m"}))) as events:
        await anext(events)
        lines = -1
        while lines != server.lines:  # until nothing moves any more
            lines = server.lines
            await asyncio.sleep(0.2)
        assert QUEUED <= lines < 3000  # the rest of them is in the buffers of the network


async def test_S9_an_instance_is_asked_once_with_its_own_settings() -> None:
    server = Scripted(script=["4"])
    await heard(server, {"model": "m", "top_k": 0}, {"model": "m", "seed": 7})
    defaults = {"temperature": 0.7, "top_p": 0.9, "top_k": 40, "repeat_penalty": 1.1, "num_predict": -1}
    assert [body["options"] for body in server.asked] == [{**defaults, "top_k": 0}, {**defaults, "seed": 7}]
    assert [body["messages"] for body in server.asked] == [[{"role": "user", "content": "2+2?"}]] * 2


async def test_B8_the_legacy_format_leaves_the_models_own_defaults() -> None:
    server = Scripted(script=["4"])
    async with asker(server) as asking, aclosing(asking.ask(chat(models=["m"]))) as events:
        assert [type(event) async for event in events if not isinstance(event, Status)] == [Token, Done]
    assert "options" not in server.asked[0]


async def test_Q6_thinking_is_no_part_of_the_answer_but_of_its_length() -> None:
    thought: Json = {"message": {"content": "", "thinking": "hm"}, "done": False}
    server = Scripted(script=[thought, thought, "4"], last={})
    found = await heard(server, {"model": "m", "id": "a"})
    assert text(found["a"]) == "4"
    assert [event.text for event in found["a"] if isinstance(event, Thinking)] == ["hm", "hm"]
    assert isinstance(found["a"][-1], Done)
    assert (found["a"][-1].metrics.tokens, found["a"][-1].metrics.estimated) == (3, True)


async def test_Q4_one_that_dies_in_the_middle_leaves_the_others_alone() -> None:
    error: Json = {"error": "the runner died at /root/.ollama/x.sock"}
    server = by_model({"bad": ["half", error], "good": ["a", 0.05, "b"]})
    found = await heard(server, {"model": "bad", "id": "1"}, {"model": "good", "id": "2"})
    assert found["1"][-1] == Failed("1", "the runner died at …")
    assert text(found["2"]) == "ab"
    assert isinstance(found["2"][-1], Done)


async def test_an_answer_without_an_end_has_failed() -> None:
    found = await heard(Scripted(script=["half"], last=None), {"model": "m", "id": "a"})
    assert found["a"][-1] == Failed("a", CUT_OFF)


async def test_G8_the_reason_says_that_a_connection_was_refused() -> None:
    found = await heard(Scripted(), {"model": "m", "id": "a", "endpoint": "gone"}, {"model": "m", "id": "b"})
    assert found["a"] == [Failed("a", "Connection refused")]
    assert isinstance(found["b"][-1], Done)


async def test_C6_only_silence_is_timed() -> None:
    server = by_model({"slow": ["x", 0.15] * 4, "mute": [30.0]})
    found = await heard(server, {"model": "slow", "id": "1"}, {"model": "mute", "id": "2"}, idle_s=0.4)
    assert text(found["1"]) == "xxxx"
    assert found["2"] == [Failed("2", "Timed out after 0.4 seconds")]


async def test_C7_surplus_instances_wait_in_the_order_of_the_request() -> None:
    server = Scripted(script=["x", 0.02])
    found = await heard(server, *({"model": "m", "top_k": number} for number in range(6)), parallel=2)
    assert [body["options"]["top_k"] for body in server.asked] == list(range(6))
    assert (len(found), server.most_running) == (6, 2)


async def test_S6_silence_is_told_so_that_no_proxy_gives_up() -> None:
    async with (
        asker(Scripted(script=[0.3, "x"]), heartbeat_s=0.05) as asking,
        aclosing(asking.ask(chat({"model": "m"}))) as events,
    ):
        kinds = [type(event) async for event in events if not isinstance(event, Status)]
    assert kinds.count(Silence) >= 2
    assert [kind for kind in kinds if kind is not Silence] == [Token, Done]


async def test_K1_leaving_closes_every_connection() -> None:
    server = Scripted(script=["x", 0.01], endless=True)
    async with asker(server) as asking:
        async with aclosing(asking.ask(chat(*({"model": "m", "top_k": number} for number in range(4))))) as events:
            await anext(events)
            while server.running < 4:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(1):
            while server.running:
                await asyncio.sleep(0.01)
    assert server.leavers == 4
