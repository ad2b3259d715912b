"""Who gets a runner, when and in which order (contract ollama-http §5): the races, with scripted runners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from puna.engine.failures import OutOfMemory
from puna.engine.policy import Limits, Plan
from puna.engine.scheduler import Lease, Scheduler
from puna.engine.types import Adapter, LoadOptions, Weights
from puna.errors import Busy, LoadFailed, PunaError, RunnerDied
from puna.names import Digest, ModelName
from puna.units import FOREVER_NS, NS
from tests.engine.fakes import GIB, FakeEffects, settled, weights

A, B, C, D = (weights(letter) for letter in "abcd")


@asynccontextmanager
async def scheduling(effects: FakeEffects, **limits: Any) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(effects, Limits(**limits))
    await scheduler.start()
    try:
        yield scheduler
    finally:
        await scheduler.close()


async def lease(
    scheduler: Scheduler, what: Weights, keep_alive_ns: int | None = None, name: str = "", caller: str = "", **load: Any
) -> Lease:
    model = ModelName.parse(name or f"model-{what.digest.hex[0]}")
    return await scheduler.lease(what, model, Digest("f" * 64), {}, LoadOptions(**load), keep_alive_ns, caller=caller)


def asking(scheduler: Scheduler, what: Weights, **load: Any) -> asyncio.Task[Lease]:
    return asyncio.create_task(lease(scheduler, what, **load))


def loaded(scheduler: Scheduler) -> list[str]:
    return [row.name.model for row in scheduler.snapshot()]


async def test_the_second_request_uses_the_loaded_runner() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        first = await lease(scheduler, A)
        second = await lease(scheduler, A)
        assert effects.log == ["start a"]
        assert first.runner is second.runner
        assert first.load_ns > 0


async def test_requests_for_a_loading_model_join_the_same_load() -> None:
    effects = FakeEffects(hold=True)
    async with scheduling(effects) as scheduler:
        tasks = [asking(scheduler, A) for _ in range(5)]
        await settled()
        await effects.finish_load()
        leases = await asyncio.gather(*tasks)
        assert effects.log == ["start a"]
        assert len({id(one.runner) for one in leases}) == 1


async def test_models_with_the_same_weights_share_a_runner_and_an_unload() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        for name in ("one", "two"):
            async with await lease(scheduler, A, name=name):
                pass
        await settled()
        assert loaded(scheduler) == ["one"]  # the name that caused the load
        scheduler.unload(A.digest)
        await settled()
        assert effects.log == ["start a", "stop a"]


async def test_only_one_model_loads_at_a_time() -> None:
    effects = FakeEffects(hold=True)
    async with scheduling(effects) as scheduler:
        first, second = asking(scheduler, A), asking(scheduler, B)
        await settled()
        assert effects.log == ["start a"]
        await effects.finish_load()
        assert effects.log == ["start a", "start b"]
        await effects.finish_load()
        await asyncio.gather(first, second)


async def test_a_loaded_model_answers_while_another_one_loads() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        (await lease(scheduler, A)).release()
        effects.hold = True
        waiting = asking(scheduler, B)
        await settled()
        (await lease(scheduler, A)).release()
        assert not waiting.done()
        await effects.finish_load()
        await waiting


async def test_a_full_queue_refuses_at_once_and_not_for_loaded_models() -> None:
    effects = FakeEffects()
    async with scheduling(effects, max_queue=2) as scheduler:
        (await lease(scheduler, A)).release()
        effects.hold = True
        waiting = [asking(scheduler, B) for _ in range(3)]  # one is being processed, two wait
        await settled()
        with pytest.raises(Busy, match=r"busy, please try again\.  maximum"):
            await lease(scheduler, C)
        (await lease(scheduler, A)).release()
        assert scheduler.queued == 3
        await effects.finish_load()
        await asyncio.gather(*waiting)


async def test_a_queued_client_that_leaves_is_dropped_without_a_load() -> None:
    effects = FakeEffects(hold=True)
    async with scheduling(effects) as scheduler:
        first, second = asking(scheduler, A), asking(scheduler, B)
        await settled()
        second.cancel()
        await effects.finish_load()
        await first
        await settled()
        assert effects.log == ["start a"]


async def test_the_only_waiter_leaving_aborts_the_load() -> None:
    effects = FakeEffects(hold=True)
    async with scheduling(effects) as scheduler:
        only = asking(scheduler, A)
        await settled()
        only.cancel()
        await settled()
        assert effects.log == ["start a", "abort a"]
        assert scheduler.snapshot() == ()


async def test_a_load_goes_on_while_anybody_waits_for_it() -> None:
    effects = FakeEffects(hold=True)
    async with scheduling(effects) as scheduler:
        leaving, staying = asking(scheduler, A), asking(scheduler, A)
        await settled()
        leaving.cancel()
        await effects.finish_load()
        await staying
        assert effects.log == ["start a"]


async def test_a_client_that_comes_during_an_abort_gets_a_new_load() -> None:
    effects = FakeEffects(hold=True)
    async with scheduling(effects) as scheduler:
        leaving = asking(scheduler, A)
        await settled()
        leaving.cancel()
        coming = asking(scheduler, A)
        await settled()
        await effects.finish_load()
        await coming
        assert effects.log in (["start a"], ["start a", "abort a", "start a"])


async def test_a_client_that_leaves_while_it_is_granted_frees_its_lease() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        (await lease(scheduler, A)).release()
        crossing = asking(scheduler, A)
        while not scheduler.snapshot()[0].busy:
            await asyncio.sleep(0)
        crossing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await crossing
        await settled()
        assert scheduler.snapshot()[0].busy == 0


async def test_an_idle_model_goes_when_its_time_is_over() -> None:
    effects = FakeEffects()
    async with scheduling(effects, keep_alive_ns=10 * NS) as scheduler:
        (await lease(scheduler, A)).release()
        await settled()
        await effects.advance(9)
        assert loaded(scheduler) == ["model-a"]
        await effects.advance(1)
        assert effects.log == ["start a", "stop a"]


async def test_every_finished_request_starts_the_time_again() -> None:
    effects = FakeEffects()
    async with scheduling(effects, keep_alive_ns=10 * NS) as scheduler:
        for _ in range(3):
            (await lease(scheduler, A)).release()
            await settled()
            await effects.advance(9)
        assert effects.log == ["start a"]


async def test_time_does_not_run_while_a_request_is_answered() -> None:
    effects = FakeEffects()
    async with scheduling(effects, keep_alive_ns=10 * NS) as scheduler:
        (await lease(scheduler, A)).release()
        await settled()
        busy = await lease(scheduler, A)
        await effects.advance(1000)
        assert effects.log == ["start a"]
        busy.release()
        await settled()
        assert scheduler.snapshot()[0].expires_at_ns == effects.now + 10 * NS


async def test_keep_alive_sticks_until_another_request_says_otherwise() -> None:
    effects = FakeEffects()
    async with scheduling(effects, keep_alive_ns=10 * NS) as scheduler:
        (await lease(scheduler, A, keep_alive_ns=100 * NS)).release()
        (await lease(scheduler, A)).release()
        await settled()
        await effects.advance(99)
        assert effects.log == ["start a"]
        (await lease(scheduler, A, keep_alive_ns=FOREVER_NS)).release()
        await settled()
        await effects.advance(10**9)
        assert scheduler.snapshot()[0].expires_at_ns is None


async def test_keep_alive_zero_unloads_as_soon_as_the_runner_is_idle() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        one, other = await lease(scheduler, A), await lease(scheduler, A, keep_alive_ns=0)
        other.release()
        await settled()
        assert effects.log == ["start a"]
        one.release()
        await settled()
        assert effects.log == ["start a", "stop a"]


async def test_unloading_a_busy_model_waits_for_its_requests() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        busy = await lease(scheduler, A)
        scheduler.unload(A.digest)
        await settled()
        assert effects.log == ["start a"]
        assert scheduler.snapshot()[0].expires_at_ns == effects.now
        busy.release()
        await settled()
        assert effects.log == ["start a", "stop a"]


async def test_unloading_what_is_not_loaded_does_nothing() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        scheduler.unload(A.digest)
        await settled()
        assert effects.log == []


async def test_unloading_during_the_load_serves_the_waiter_first() -> None:
    effects = FakeEffects(hold=True)
    async with scheduling(effects) as scheduler:
        waiting = asking(scheduler, A)
        await settled()
        scheduler.unload(A.digest)
        await effects.finish_load()
        (await waiting).release()
        await settled()
        assert effects.log == ["start a", "stop a"]


async def test_other_load_options_reload_after_the_old_runner_has_drained() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        busy = await lease(scheduler, A, num_ctx=2048)
        waiting = asking(scheduler, A, num_ctx=4096)
        await settled()
        assert effects.log == ["start a"]  # nobody who is answered is ended
        busy.release()
        assert (await waiting).n_ctx == 4096
        assert effects.log == ["start a", "stop a", "start a"]


async def test_requests_for_a_draining_runner_wait_for_the_next_one() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        busy = await lease(scheduler, A, num_ctx=2048)
        reload = asking(scheduler, A, num_ctx=4096)
        await settled()
        late = asking(scheduler, A, num_ctx=2048)  # would fit the draining one, but then it would never drain
        await settled()
        assert not late.done()
        busy.release()
        (await reload).release()
        assert (await late).n_ctx == 2048


async def test_a_reload_that_nobody_wants_any_more_spares_the_runner() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        busy = await lease(scheduler, A, num_ctx=2048)
        waiting = asking(scheduler, A, num_ctx=4096)
        await settled()
        waiting.cancel()
        await settled()
        busy.release()
        (await lease(scheduler, A, num_ctx=2048)).release()
        assert effects.log == ["start a"]


async def test_the_idle_model_with_the_shortest_keep_alive_makes_room() -> None:
    effects = FakeEffects()
    async with scheduling(effects, max_loaded_models=2) as scheduler:
        (await lease(scheduler, A, keep_alive_ns=200 * NS)).release()
        (await lease(scheduler, B, keep_alive_ns=100 * NS)).release()
        (await lease(scheduler, C)).release()
        assert effects.log == ["start a", "start b", "stop b", "start c"]


async def test_a_busy_model_is_drained_for_room_never_ended() -> None:
    effects = FakeEffects()
    async with scheduling(effects, max_loaded_models=1) as scheduler:
        busy = await lease(scheduler, A)
        waiting = asking(scheduler, B)
        await settled()
        assert effects.log == ["start a"]
        busy.release()
        await waiting
        assert effects.log == ["start a", "stop a", "start b"]


async def test_an_idle_model_makes_room_before_a_busy_one() -> None:
    effects = FakeEffects()
    async with scheduling(effects, max_loaded_models=2) as scheduler:
        busy = await lease(scheduler, A, keep_alive_ns=1 * NS)
        (await lease(scheduler, B, keep_alive_ns=999 * NS)).release()
        await lease(scheduler, C)
        assert effects.log == ["start a", "start b", "stop b", "start c"]
        busy.release()


async def test_memory_makes_room_too() -> None:
    effects = FakeEffects(free=100 * GIB)
    async with scheduling(effects) as scheduler:
        (await lease(scheduler, A)).release()
        effects.free = GIB  # too little beside the first
        (await lease(scheduler, B)).release()
        assert effects.log == ["start a", "stop a", "start b"]  # alone it may try


async def test_mixed_traffic_switches_once_per_group() -> None:
    effects = FakeEffects()
    async with scheduling(effects, max_loaded_models=1) as scheduler:
        busy = await lease(scheduler, A)
        tasks = [asking(scheduler, B)]
        await settled()  # the runner of A drains now
        tasks += [asking(scheduler, what) for what in (A, B, A, B, A)]
        await settled()
        busy.release()

        async def used(task: asyncio.Task[Lease]) -> None:
            (await task).release()

        await asyncio.gather(*(used(task) for task in tasks))
        assert [line for line in effects.log if line.startswith("start")] == ["start a", "start b", "start a"]


async def test_a_stream_of_requests_for_one_model_does_not_starve_another() -> None:
    effects = FakeEffects()
    async with scheduling(effects, max_loaded_models=1) as scheduler:
        held = await lease(scheduler, A)
        other = asking(scheduler, B)
        for _ in range(20):  # there is always one more request for A before the last one ends
            following = asking(scheduler, A)
            await settled()
            held.release()
            await settled()
            if other.done():
                break
            held = await following
        assert other.done()
        (await other).release()
        (await following).release()


async def test_after_a_crash_the_next_request_gets_a_new_runner() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        first = await lease(scheduler, A)
        effects.runners[0].crash()
        second = await lease(scheduler, A)
        assert second.runner is not first.runner
        first.release(broken=True)  # late, and for a runner that is gone
        await settled()
        assert scheduler.snapshot()[0].busy == 1
        second.release()


async def test_a_crash_of_an_idle_runner_is_noticed() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        (await lease(scheduler, A)).release()
        await settled()
        effects.runners[0].crash()
        await settled()
        assert scheduler.snapshot() == ()


async def test_a_runner_that_stopped_answering_is_not_given_out_again() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        with pytest.raises(RunnerDied):
            async with await lease(scheduler, A):
                raise RunnerDied
        (await lease(scheduler, A)).release()
        assert effects.log == ["start a", "stop a", "start a"]


async def test_a_failed_load_fails_everybody_who_joined_it_and_nobody_else() -> None:
    effects = FakeEffects(hold=True)
    effects.failures = [LoadFailed("no tensors")]
    async with scheduling(effects) as scheduler:
        joined = [asking(scheduler, A), asking(scheduler, A)]
        other = asking(scheduler, B)
        await settled()
        await effects.finish_load()
        for task in joined:
            with pytest.raises(LoadFailed, match="no tensors"):
                await task
        await effects.finish_load()
        (await other).release()


async def test_out_of_memory_with_an_automatic_context_tries_a_smaller_one_once() -> None:
    effects = FakeEffects()
    effects.failures = [OutOfMemory("no room")]
    async with scheduling(effects) as scheduler:
        got = await lease(scheduler, A)
        assert [plan.n_ctx for plan in effects.plans] == [8192, 4096]
        assert got.n_ctx == 4096
        got.release()


async def test_out_of_memory_with_a_chosen_context_is_told_at_once() -> None:
    effects = FakeEffects()
    effects.failures = [OutOfMemory("no room")]
    async with scheduling(effects) as scheduler:
        with pytest.raises(OutOfMemory, match="no room"):
            await lease(scheduler, A, num_ctx=8192)
        assert effects.log == ["start a"]


async def test_a_cache_larger_than_the_machine_is_refused_before_the_start() -> None:
    effects = FakeEffects()
    huge = weights("a", train_ctx=2**24, kv_bytes_per_token=10**6)
    async with scheduling(effects) as scheduler:
        with pytest.raises(OutOfMemory, match="requires more system memory"):
            await lease(scheduler, huge, num_ctx=2**24)
        assert effects.log == []


async def test_an_unexpected_failure_to_start_does_not_leave_the_queue_waiting() -> None:
    effects = FakeEffects()
    effects.failures = [OSError("too many open files")]
    async with scheduling(effects) as scheduler:
        with pytest.raises(PunaError, match="could not be started: OSError"):
            await lease(scheduler, A)
        (await lease(scheduler, A)).release()


async def test_closing_ends_runners_loads_and_waiters() -> None:
    effects = FakeEffects()
    scheduler = Scheduler(effects, Limits())
    await scheduler.start()
    (await lease(scheduler, A)).release()
    effects.hold = True
    loading, queued = asking(scheduler, B), asking(scheduler, C)
    await settled()
    await scheduler.close()
    for task in (loading, queued):
        with pytest.raises(PunaError, match="shutting down"):
            await task
    assert sorted(effects.log) == ["abort b", "close", "start a", "start b", "stop a"]
    with pytest.raises(PunaError, match="shutting down"):
        await lease(scheduler, A)
    await scheduler.close()


async def test_the_snapshot_lists_the_longest_life_first() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        (await lease(scheduler, A, keep_alive_ns=10 * NS)).release()
        (await lease(scheduler, B, keep_alive_ns=FOREVER_NS)).release()
        (await lease(scheduler, C, keep_alive_ns=20 * NS)).release()
        await settled()
        rows = scheduler.snapshot()
        assert [row.name.model for row in rows] == ["model-b", "model-c", "model-a"]
        assert rows[2].expires_at_ns == effects.now + 10 * NS
        assert (rows[2].slots, rows[2].n_ctx, rows[2].memory_gpu) == (4, 8192, 0)


async def test_a_loading_model_is_listed_as_if_it_were_answering() -> None:
    effects = FakeEffects(hold=True)
    async with scheduling(effects, keep_alive_ns=10 * NS) as scheduler:
        waiting = asking(scheduler, A)
        await settled()
        (row,) = scheduler.snapshot()
        assert row.expires_at_ns == effects.now + 10 * NS
        assert row.pid is None
        assert row.loading
        await effects.finish_load()
        (await waiting).release()
        assert not scheduler.snapshot()[0].loading


async def test_a_lease_given_back_twice_counts_once() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        one, other = await lease(scheduler, A), await lease(scheduler, A)
        one.release()
        one.release()
        await settled()
        assert scheduler.snapshot()[0].busy == 1
        other.release()


async def test_T24_the_second_caller_makes_a_runner_one_that_is_shared() -> None:
    """The first one's runner chooses slots itself and remembers prompts beside them: nobody else may use it."""
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        own = await lease(scheduler, A, caller="one")
        own_too = await lease(scheduler, A, caller="one")
        other = asking(scheduler, A, caller="two")
        await settled()
        assert (effects.log, other.done()) == (["start a"], False)
        own.release()
        own_too.release()
        await other
        again = await lease(scheduler, A, caller="one")
        assert again.runner is (await other).runner
        await lease(scheduler, B, caller="one")
        assert effects.log == ["start a", "stop a", "start a", "start b"]
        assert [plan.caller for plan in effects.plans] == ["one", None, None]


async def test_T24_where_several_callers_are_known_a_runner_is_shared_from_its_start() -> None:
    effects = FakeEffects()
    scheduler = Scheduler(effects, Limits(), lambda: True)
    await scheduler.start()
    await lease(scheduler, A, caller="one")
    await lease(scheduler, A, caller="two")
    assert [plan.shared for plan in effects.plans] == [True]
    await scheduler.close()


def adapted(*adapters: tuple[str, float], what: Weights = A) -> Weights:
    return replace(what, adapters=tuple(Adapter(Path(name), 7, scale) for name, scale in adapters))


def asked_for(plan: Plan) -> list[str]:
    return [str(adapter.path) for adapter in plan.weights.adapters]


async def test_another_scale_of_a_loaded_adapter_needs_no_load_and_the_base_neither() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        for what in (adapted(("x", 1)), adapted(("x", 0.5)), A, adapted(("x", 1))):
            async with await lease(scheduler, what):
                pass
        assert effects.log == ["start a"]


async def test_requests_with_the_same_adapters_go_together_and_others_wait_until_they_are_done() -> None:
    """The engine works on one set of adapters at a time, and whoever has the first slot could keep it for ever."""
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        first = await lease(scheduler, adapted(("x", 1)))
        second = await lease(scheduler, adapted(("x", 1)))
        base = [asking(scheduler, A), asking(scheduler, adapted(("x", 0)))]
        await settled()
        late = asking(scheduler, adapted(("x", 1)))  # or there would be no end of them
        await settled()
        assert [task.done() for task in (*base, late)] == [False] * 3
        first.release()
        second.release()
        granted = await asyncio.gather(*base)
        await settled()
        assert not late.done()
        for one in granted:
            one.release()
        await late
        assert effects.log == ["start a"]


async def test_who_waits_for_other_adapters_and_leaves_sets_the_runner_free() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        first = await lease(scheduler, adapted(("x", 1)))
        other = asking(scheduler, A)
        await settled()
        other.cancel()
        await settled()
        await lease(scheduler, adapted(("x", 1)))
        first.release()
        assert effects.log == ["start a"]


async def test_an_adapter_that_is_not_loaded_joins_those_that_are() -> None:
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        for what in (adapted(("x", 1)), adapted(("y", 1)), adapted(("x", 1)), adapted(("x", 1), ("y", 2))):
            async with await lease(scheduler, what):
                pass
        assert effects.log == ["start a", "stop a", "start a"]
        assert [asked_for(plan) for plan in effects.plans] == [["x"], ["y", "x"]]
        assert effects.plans[1].weights.size == A.size + 7
        effects.deleted.add(Path("x"))
        async with await lease(scheduler, adapted(("z", 1))):
            assert asked_for(effects.plans[-1]) == ["z", "y"]


async def test_room_for_another_model_is_not_taken_by_a_change_of_adapters() -> None:
    effects = FakeEffects()
    async with scheduling(effects, max_loaded_models=1) as scheduler:
        first = await lease(scheduler, adapted(("x", 1)))
        other, change = asking(scheduler, B), asking(scheduler, A)
        await settled()
        first.release()
        (await other).release()
        await change
        assert effects.log == ["start a", "stop a", "start b", "stop b", "start a"]


async def test_who_needs_no_more_than_his_own_adapters_gets_a_runner_without_others() -> None:
    """The engine embeds with all that it has loaded."""
    effects = FakeEffects()
    async with scheduling(effects) as scheduler:
        async with await lease(scheduler, adapted(("x", 1))):
            pass
        model = ModelName.parse("model-a")
        async with await scheduler.lease(A, model, Digest("f" * 64), {}, LoadOptions(), exact=True):
            pass
        assert [asked_for(plan) for plan in effects.plans] == [["x"], []]
