"""Cancellation, order and the queue (contract code-completion §1.12, §1.5), in front of a scripted upstream."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from puna.code.completer import Completer
from puna.code.failures import DeadlinePassed, Overloaded, StillLoading, UpstreamFailed
from puna.code.types import CompletionRequest
from tests.code.asking import complete, completing, until
from tests.code.scripted import Scripted


def endless(**fields: object) -> Scripted:
    return Scripted(script=["x", 0.002], endless=True, **fields)


def held(gate: asyncio.Event) -> Scripted:
    """Says one word and waits for the gate."""
    return Scripted(script=["a", gate, "b"])


async def hang_up_after(completer: Completer, pieces: int, prompt: str = "x = ") -> None:
    async with aclosing(completer.complete(CompletionRequest(prompt, max_tokens=-1))) as stream:
        async for _ in stream:
            pieces -= 1
            if not pieces:
                return


async def test_X1_a_client_that_leaves_ends_the_upstreams_work() -> None:
    server = endless()
    async with completing(server) as completer:
        await hang_up_after(completer, 3)
        await until(server.left.is_set)
        assert (server.running, completer.counters.running, completer.counters.cancelled) == (0, 0, 1)


async def test_X1_a_client_that_leaves_before_the_first_token_does_so_too() -> None:
    server = Scripted(script=[asyncio.Event()])
    async with completing(server) as completer:
        asking = asyncio.create_task(complete(completer, "x = "))
        await until(lambda: server.running)
        asking.cancel()
        await until(server.left.is_set)
        assert completer.counters.running == 0


async def test_X1_a_completion_that_is_complete_hangs_up_at_once() -> None:
    gate = asyncio.Event()
    server = Scripted(script=["a", "\n", "b", gate])
    async with completing(server) as completer:
        text, outcome = await complete(completer, "x = ", "# c")
        assert (text, outcome.reason) == ("a", "stop")
        await until(server.left.is_set)


async def test_X2_the_upstream_always_streams() -> None:
    server = Scripted()
    async with completing(server) as completer:
        await complete(completer, "x = ")
    assert all(body["stream"] for body in server.asked + server.probes)


@pytest.mark.parametrize(
    ("fields", "supersedes"),
    [
        ({"session": "s"}, True),
        ({"client": "editor/1", "path": "a.py"}, True),
        ({"client": "editor/1"}, False),
        ({"path": "a.py"}, False),
    ],
)
async def test_X3_the_latest_question_of_a_session_wins(fields: dict[str, str], supersedes: bool) -> None:
    gate = asyncio.Event()
    server = held(gate)
    async with completing(server) as completer:
        older = asyncio.create_task(complete(completer, "x = ", **fields))
        await until(lambda: server.lines)
        await asyncio.sleep(0.2)  # what was sent has come by then
        newer = asyncio.create_task(complete(completer, "y = ", **fields))
        await until(lambda: server.leavers if supersedes else server.running == 2)
        gate.set()
        text, outcome = await older
        assert (text, outcome.reason) == (("a", "cancel") if supersedes else ("ab", "stop"))
        assert (await newer)[0] == "ab"
        assert completer.counters.superseded == supersedes
        assert completer.counters.cancelled == 0


async def test_X3_can_be_switched_off_and_leaves_other_sessions_alone() -> None:
    for config, second in (({"supersede": False}, "s"), ({}, "t")):
        gate = asyncio.Event()
        server = held(gate)
        async with completing(server, **config) as completer:
            older = asyncio.create_task(complete(completer, "x = ", session="s"))
            await until(lambda server=server: server.running == 1)
            newer = asyncio.create_task(complete(completer, "y = ", session=second))
            await until(lambda server=server: server.running == 2)
            gate.set()
            assert [(await task)[1].reason for task in (older, newer)] == ["stop", "stop"]


async def test_X3_a_warm_up_ends_nothing() -> None:
    gate = asyncio.Event()
    server = held(gate)
    async with completing(server) as completer:
        older = asyncio.create_task(complete(completer, "x = ", session="s"))
        await until(lambda: server.running == 1)
        warm = asyncio.create_task(complete(completer, "y = ", session="s", max_tokens=0))
        await until(lambda: server.running == 2)
        gate.set()
        await warm
        assert (await older)[0] == "ab"


async def test_X4_the_same_question_at_the_same_time_is_one_run() -> None:
    gate = asyncio.Event()
    server = held(gate)
    async with completing(server) as completer:
        asking = [asyncio.create_task(complete(completer, "x = ", session="s", path="a.py")) for _ in range(3)]
        await until(lambda: server.running and completer.counters.merged == 2)
        gate.set()
        assert [(await task)[0] for task in asking] == ["ab"] * 3
    assert len(server.asked) == 1


async def test_X4_with_dice_every_copy_is_a_run_and_none_ends_another() -> None:
    gate = asyncio.Event()
    server = held(gate)
    async with completing(server) as completer:
        sampling = {"temperature": 0.8}
        asking = [asyncio.create_task(complete(completer, "x = ", session="s", sampling=sampling)) for _ in range(3)]
        await until(lambda: server.running == 3)
        gate.set()
        assert [(await task)[1].reason for task in asking] == ["stop"] * 3


async def test_X4_one_of_several_listeners_may_leave() -> None:
    gate = asyncio.Event()
    server = held(gate)
    async with completing(server) as completer:
        leaves, stays = [asyncio.create_task(complete(completer, "x = ")) for _ in range(2)]
        await until(lambda: server.running and completer.counters.merged)
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        gate.set()
        assert (await stays)[0] == "ab"
    assert server.leavers == 0


async def test_X5_a_chat_waits_while_completions_do_and_leaves_them_a_place() -> None:
    gate = asyncio.Event()
    server = Scripted(script=lambda body: [gate, "b"])
    chat = {"messages": [{"role": "user", "content": "hi"}]}

    async def talk(completer: Completer) -> int:
        return len([line async for line in completer.chat(chat)])

    async with completing(server, parallel=2) as completer:
        chats = [asyncio.create_task(talk(completer)) for _ in range(2)]
        await until(lambda: completer.counters.running == 1 and completer.counters.waiting == 1)
        asking = asyncio.create_task(complete(completer, "x = "))
        await until(lambda: server.running == 2)
        assert [("messages" in body) for body in server.asked] == [True, False]
        gate.set()
        assert [await task for task in chats] == [2, 2]
        assert (await asking)[0] == "b"


async def test_the_newest_waits_least_and_the_oldest_leaves_a_full_queue() -> None:
    gates: dict[str, asyncio.Event] = {name: asyncio.Event() for name in "abcd"}
    server = Scripted(script=lambda body: [gates[body["prompt"][-1]], "x"])
    async with completing(server, parallel=1, queue=2, queue_s=10) as completer:
        await completer.served()
        asking = {}
        for number, name in enumerate("abcd"):
            asking[name] = asyncio.create_task(complete(completer, name))
            await until(
                lambda number=number: completer.counters.running + completer.counters.waiting >= min(number, 2) + 1
            )
            await asyncio.sleep(0.01)
        with pytest.raises(Overloaded):
            await asking["b"]
        for name in "adc":
            await until(lambda name=name: server.prompts[-1].endswith(name))
            gates[name].set()
            await asking[name]
        assert server.most_running == 1
        assert completer.counters.refused == 1


async def test_who_waits_too_long_is_told_that_it_is_busy_or_loading() -> None:
    gate = asyncio.Event()
    server = Scripted(script=[gate], loaded=gate)
    async with completing(server, parallel=1, queue_s=0.02) as completer:
        first = asyncio.create_task(complete(completer, "x = "))
        await until(lambda: server.running)
        with pytest.raises(Overloaded):
            await complete(completer, "y = ")
        load = asyncio.create_task(completer.load())
        await until(lambda: completer.loading)
        with pytest.raises(StillLoading):
            await complete(completer, "z = ")
        gate.set()
        await asyncio.gather(first, load)
        assert completer.counters.waiting == 0
        assert not completer.loading


async def test_without_a_queue_a_busy_server_says_so_at_once() -> None:
    gate = asyncio.Event()
    server = Scripted(script=[gate])
    async with completing(server, parallel=1, queue=0) as completer:
        first = asyncio.create_task(complete(completer, "x = "))
        await until(lambda: server.running)
        with pytest.raises(Overloaded):
            await complete(completer, "y = ")
        gate.set()
        await first


async def test_a_place_in_the_queue_goes_on_when_its_owner_leaves() -> None:
    gate = asyncio.Event()
    server = Scripted(script=[gate])
    async with completing(server, parallel=1, queue_s=10) as completer:
        first = asyncio.create_task(complete(completer, "x = "))
        await until(lambda: server.running)
        waiting = [asyncio.create_task(complete(completer, f"y{n} = ")) for n in range(2)]
        await until(lambda: completer.counters.waiting == 2)
        waiting[1].cancel()
        gate.set()
        await first
        await waiting[0]
        assert (completer.counters.running, completer.counters.waiting) == (0, 0)


async def test_the_deadline_ends_a_completion() -> None:
    server = endless()
    async with completing(server, deadline_s=0.1, max_lines=10**9) as completer:
        with pytest.raises(DeadlinePassed, match=r"0\.1 s"):
            await complete(completer, "x = ", max_tokens=-1)
        await until(server.left.is_set)


async def test_the_deadline_is_also_that_of_looking_at_a_model_which_goes_on_for_the_next() -> None:
    server = Scripted(shown=asyncio.Event())
    async with completing(server, deadline_s=0.05) as completer:
        with pytest.raises(DeadlinePassed):
            await complete(completer, "x = ")
        server.shown.set()
        await completer.served()
    assert [path for path, _ in server.calls].count("/api/show") == 2  # which models complete, and this one


async def test_who_listens_while_the_server_stops_is_told() -> None:
    server = Scripted(script=[asyncio.Event()])
    async with completing(server) as completer:
        asking = asyncio.create_task(complete(completer, "x = "))
        await until(lambda: server.running)
    with pytest.raises(UpstreamFailed, match="stopping"):
        await asking


async def test_two_first_questions_look_at_the_model_once() -> None:
    server = Scripted()
    async with completing(server) as completer:
        await asyncio.gather(complete(completer, "x = "), complete(completer, "y = "))
    assert len(server.probes) == 3
