"""Which slot a request gets where callers share a runner, and whose turn it is (threats T23, T24)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from puna.engine.slots import SETTLES_S, Slots, Turn, common_prefix
from puna.errors import BadRequest, Busy
from tests.engine.fakes import settled

HELLO, HELLO_AGAIN, OTHER = b"Hello, who are you?", b"Hello, who are they?", b"Something else entirely"


async def asked(slots: Slots, caller: str, prompt: bytes | None) -> Turn:
    """A request from its turn to its whole answer."""
    async with slots.turn(caller, prompt) as turn:
        turn.answered()
        return turn


def told(turn: Turn) -> tuple[int, bool]:
    return turn.fields["id_slot"], turn.fields["cache_prompt"]


async def test_T24_a_slot_that_changes_hands_is_erased_and_the_owner_keeps_his() -> None:
    slots = Slots(2, 9)
    first, _ = told(await asked(slots, "a", HELLO))
    assert told(await asked(slots, "a", HELLO_AGAIN)) == (first, True)
    second, reuse = told(await asked(slots, "b", HELLO))
    assert (second, reuse) == (1 - first, False)
    assert told(await asked(slots, "c", HELLO)) == (first, False)  # nobody's is left: the one idle for longest
    assert told(await asked(slots, "b", HELLO)) == (second, True)
    assert told(await asked(slots, "a", HELLO)) == (first, False)  # a's text is no longer there
    assert told(await asked(slots, "a", HELLO)) == (first, True)


async def test_each_conversation_of_a_caller_keeps_a_slot_as_long_as_there_are_empty_ones() -> None:
    slots = Slots(3, 9)
    hello, _ = told(await asked(slots, "a", HELLO))
    other, reuse = told(await asked(slots, "a", OTHER))
    assert (other != hello, reuse) == (True, False)
    assert told(await asked(slots, "a", HELLO_AGAIN)) == (hello, True)
    third, _ = told(await asked(slots, "b", HELLO))
    assert {hello, other, third} == {0, 1, 2}
    # All are taken: a new conversation of a costs a a slot, not b.
    assert told(await asked(slots, "a", b"A third one")) == (other, True)


async def test_T24_a_busy_slot_is_nobodys_choice() -> None:
    slots = Slots(2, 9)
    async with slots.turn("a", HELLO) as first, slots.turn("a", HELLO) as second:
        assert {first.slot.id, second.slot.id} == {0, 1}


async def test_T24_what_was_refused_or_abandoned_leaves_a_slot_that_nobody_may_reuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slots = Slots(1, 9)
    await asked(slots, "b", HELLO)
    with pytest.raises(BadRequest):
        async with slots.turn("a", HELLO):  # the engine says no: the slot may still hold what b wrote
            raise BadRequest("too long")
    assert told(await asked(slots, "a", HELLO)) == (0, False)
    assert told(await asked(slots, "a", HELLO)) == (0, True)
    with pytest.raises(asyncio.CancelledError):
        async with slots.turn("b", HELLO):
            raise asyncio.CancelledError  # the engine may find out late, and write b's text after what comes next
    assert told(await asked(slots, "a", HELLO)) == (0, False)
    assert told(await asked(slots, "a", HELLO)) == (0, False)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + SETTLES_S)
    assert told(await asked(slots, "a", HELLO)) == (0, False)
    assert told(await asked(slots, "a", HELLO)) == (0, True)


async def test_a_client_who_leaves_in_mid_answer_finds_his_text_again() -> None:
    slots = Slots(1, 9)
    with pytest.raises(asyncio.CancelledError):  # noqa: PT012 - the turn must see it leave
        async with slots.turn("a", HELLO) as turn:
            turn.answered()
            raise asyncio.CancelledError
    assert told(await asked(slots, "a", HELLO)) == (0, True)


async def test_T24_embeddings_leave_no_slot_that_is_reused() -> None:
    """The engine puts them where it likes and leaves their text there."""
    slots = Slots(3, 9)
    await asked(slots, "a", HELLO)
    long = slots.turn("a", OTHER)
    busy = await long.__aenter__()
    busy.answered()
    async with slots.roaming("b"):
        assert told(await asked(slots, "a", HELLO))[1] is False
    assert told(await asked(slots, "a", HELLO))[1] is False
    await long.__aexit__(None, None, None)  # it had its slot all the time
    assert told(await asked(slots, "a", OTHER)) == (busy.slot.id, True)


async def test_T24_embeddings_wait_for_who_counts_on_a_slot_and_has_not_got_it() -> None:
    slots = Slots(2, 9)
    await asked(slots, "a", HELLO)
    began = asyncio.Event()

    async def embed() -> None:
        async with slots.roaming("b"):
            began.set()

    async with slots.turn("a", HELLO) as turn:
        assert turn.reuse
        task = asyncio.create_task(embed())
        await settled()
        assert not began.is_set()
        turn.answered()
        await task
    assert began.is_set()


async def test_T24_after_abandoned_embeddings_no_slot_is_reused_until_they_are_surely_over() -> None:
    slots = Slots(2, 9)
    await asked(slots, "a", HELLO)
    with pytest.raises(asyncio.CancelledError):
        async with slots.roaming("b"):
            raise asyncio.CancelledError
    assert [told(await asked(slots, "a", HELLO))[1] for _ in range(3)] == [False] * 3


async def test_embeddings_that_were_refused_or_never_sent_disturb_nobody_later() -> None:
    slots = Slots(2, 9)
    with pytest.raises(BadRequest):
        async with slots.roaming("b"):
            raise BadRequest("too long")
    await asked(slots, "a", HELLO)
    assert told(await asked(slots, "a", HELLO))[1]

    async def embed() -> None:
        async with slots.roaming("b"):
            raise AssertionError

    async with slots.turn("a", HELLO) as turn:
        task = asyncio.create_task(embed())
        await settled()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        turn.answered()
    await asked(slots, "b", OTHER)
    assert told(await asked(slots, "b", OTHER))[1]


async def test_T24_no_prompt_is_shown_where_a_slot_is_logged() -> None:
    slots = Slots(1, 9)
    async with slots.turn("a", HELLO) as turn:
        turn.answered()
    assert turn.slot.prompt == HELLO
    assert "Hello" not in repr(turn)


@asynccontextmanager
async def taken(slots: Slots, caller: str) -> AsyncIterator[list[str]]:
    """All slots in use by `caller`; gives the list in which later turns write themselves down."""
    async with AsyncExitStack() as stack:
        for _ in slots._slots:
            await stack.enter_async_context(slots.turn(caller, HELLO))
        yield []


def asking(slots: Slots, caller: str, order: list[str]) -> asyncio.Task[None]:
    async def ask() -> None:
        async with slots.turn(caller, HELLO):
            order.append(caller)
            await asyncio.sleep(0)

    return asyncio.create_task(ask())


async def test_T23_one_request_waits_no_more_than_two_turns_behind_a_thousand() -> None:
    slots = Slots(1, 2000)
    async with taken(slots, "many") as order:
        tasks = [asking(slots, "many", order) for _ in range(1000)]
        await settled()
        tasks.append(asking(slots, "one", order))
        await settled()
        assert slots.waiting == 1001
    await asyncio.gather(*tasks)
    assert order.index("one") < 2
    assert len(order) == 1001
    assert slots.waiting == 0


async def test_T23_a_full_queue_refuses_who_fills_it_and_nobody_else() -> None:
    slots = Slots(1, 4)
    async with taken(slots, "many") as order:
        tasks = [asking(slots, "many", order) for _ in range(4)]
        await settled()
        with pytest.raises(Busy):
            await asked(slots, "many", HELLO)
        tasks.append(asking(slots, "one", order))
        await settled()
        assert slots.waiting == 5
    await asyncio.gather(*tasks)
    assert sorted(order) == ["many"] * 4 + ["one"]


@pytest.mark.parametrize("moment", ["waiting", "granted"])
async def test_who_leaves_the_queue_leaves_no_trace(moment: str) -> None:
    slots = Slots(1, 9)
    async with taken(slots, "a") as order:
        leaving, staying = asking(slots, "b", order), asking(slots, "b", order)
        await settled()
        if moment == "waiting":
            leaving.cancel()
            await settled()
    if moment == "granted":  # the turn is its own and it has not run since
        leaving.cancel()
    await asyncio.gather(leaving, staying, return_exceptions=True)
    assert (order, slots.waiting) == (["b"], 0)
    assert told(await asked(slots, "c", HELLO)) == (0, False)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(b"", b"x", 0), (b"abc", b"abc", 3), (b"abc", b"abd", 2), (b"x", b"abc", 0), (b"a" * 9, b"aa", 2)],
)
def test_the_common_beginning_is_found(one: bytes, other: bytes, same: int) -> None:
    assert common_prefix(one, other) == same
