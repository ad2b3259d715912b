"""Several callers, one transfer: the same progress for all, and an end when the last of them leaves."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing

import pytest

from puna.errors import RegistryError
from puna.names import Digest
from puna.registry.pace import Pace
from puna.registry.sharing import Share, Sharing, Transfer

DIGEST = Digest("a" * 64)


class Walk(Transfer):
    """Ten bytes in steps that the test allows; then a check that takes a moment."""

    def __init__(self, steps: asyncio.Semaphore) -> None:
        super().__init__(DIGEST, 10)
        self.steps = steps
        self.cancelled = False
        self.checked = asyncio.Event()
        self.failure: RegistryError | None = None

    async def run(self) -> None:
        try:
            for step in range(10):
                await self.steps.acquire()
                if self.failure:
                    raise self.failure
                self.advance(step + 1)
            self.arrive()
            await self.checked.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            await asyncio.sleep(0.02)  # letting go of files takes a while
            raise


class Walks:
    """Makes transfers and remembers them."""

    def __init__(self) -> None:
        self.steps = asyncio.Semaphore(0)
        self.made: list[Walk] = []

    def __call__(self) -> Walk:
        self.made.append(Walk(self.steps))
        return self.made[-1]


def allow(walks: Walks, steps: int = 10) -> None:
    for _ in range(steps):
        walks.steps.release()


async def seen(share: Share) -> list[int]:
    return [completed async for completed in share.crossing()]


async def test_two_callers_share_one_transfer_and_see_its_end() -> None:
    sharing, walks = Sharing(), Walks()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(sharing.join("k", walks))
        second = await stack.enter_async_context(sharing.join("k", walks))
        watching = [asyncio.create_task(seen(share)) for share in (first, second)]
        allow(walks)
        for completed in await asyncio.gather(*watching):
            assert completed == sorted(set(completed))
            assert completed[-1] == 10
        walks.made[0].checked.set()
        await first.end()
        await second.end()
    assert len(walks.made) == 1


async def test_bytes_have_crossed_before_the_checks_are_over() -> None:
    sharing, walks = Sharing(), Walks()
    async with sharing.join("k", walks) as share:
        allow(walks)
        assert (await seen(share))[-1] == 10
        ending = asyncio.create_task(share.end())
        await asyncio.sleep(0.01)
        assert not ending.done()
        walks.made[0].checked.set()
        await ending


async def test_the_first_caller_may_leave() -> None:
    sharing, walks = Sharing(), Walks()
    async with AsyncExitStack() as stay:
        async with sharing.join("k", walks):
            other = await stay.enter_async_context(sharing.join("k", walks))
        assert not walks.made[0].cancelled
        allow(walks)
        assert (await seen(other))[-1] == 10


async def test_the_last_caller_who_leaves_ends_it_and_waits_until_it_has_let_go() -> None:
    sharing, walks = Sharing(), Walks()
    async with sharing.join("k", walks) as share:
        allow(walks, 3)
        async with aclosing(share.crossing()) as crossing:
            async for completed in crossing:
                if completed == 3:
                    break
    assert walks.made[0].cancelled


async def test_a_newcomer_does_not_meet_a_transfer_that_is_ending() -> None:
    sharing, walks = Sharing(), Walks()

    async def short() -> None:
        async with sharing.join("k", walks):
            await asyncio.sleep(0)

    leaving = asyncio.create_task(short())
    await asyncio.sleep(0.005)
    async with sharing.join("k", walks) as share:
        assert len(walks.made) == 2
        allow(walks)
        assert (await seen(share))[-1] == 10
    await leaving


async def test_an_error_reaches_everyone_and_the_next_try_is_a_new_one() -> None:
    sharing, walks = Sharing(), Walks()
    async with AsyncExitStack() as stack:
        shares = [await stack.enter_async_context(sharing.join("k", walks)) for _ in range(2)]
        walks.made[0].failure = RegistryError("no")
        allow(walks)
        for share in shares:
            with pytest.raises(RegistryError, match="no"):
                await seen(share)
        allow(walks)
        async with sharing.join("k", walks) as again:
            assert (await seen(again))[-1] == 10
    assert len(walks.made) == 2


async def test_other_keys_are_other_transfers() -> None:
    sharing, walks = Sharing(), Walks()
    async with sharing.join("a", walks), sharing.join("b", walks):
        assert len(walks.made) == 2


async def test_progress_never_runs_backwards() -> None:
    walk = Walk(asyncio.Semaphore(0))
    for completed in (3, 7, 5, 0):
        walk.advance(completed)
    assert walk.completed == 7


async def test_the_rate_limit_holds_over_all_who_share_it() -> None:
    """A limit of 10,000 bytes a second lets 10,000 pass at once and the next 5,000 after half a second."""
    pace, loop = Pace(10_000), asyncio.get_running_loop()
    start = loop.time()
    await asyncio.gather(*(pace.spend(3_000) for _ in range(5)))
    assert loop.time() - start > 0.3
    await Pace(0).spend(10**12)
