"""Which models are in memory, and who may use them (contract ollama-http §5).

One task owns all state and takes events from one inbox; slow work (measuring, loading, stopping) runs beside it and
reports back as an event. DESIGN.md beside this file has the states and the rules.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Self

from puna.engine.effects import Effects, Processes, RunnerHandle, started
from puna.engine.planner import Planner
from puna.engine.policy import Limits, Plan, choose_victim, fits, make_plan
from puna.engine.residents import Lease, Resident, State, Waiter
from puna.engine.runner import Launch
from puna.engine.types import LoadOptions, Memory, RunningModel, Weights
from puna.errors import Busy, PunaError
from puna.names import Digest, ModelName
from puna.settings import Settings
from puna.units import FOREVER_NS

log = logging.getLogger(__name__)

__all__ = ["Lease", "Scheduler"]

Event = Callable[[], None]
"""What happened, as a call of the owner's method that handles it."""


class Scheduler:
    """`start` it inside the event loop that will use it; `close` ends every runner."""

    def __init__(self, effects: Effects, limits: Limits, several: Callable[[], bool] = lambda: False) -> None:
        """`several` tells whether more than one caller can be expected: a runner then starts as a shared one."""
        self._effects = effects
        self._limits = limits
        self._planner = Planner(limits, several, effects.exists)
        self._inbox: asyncio.Queue[Event] = asyncio.Queue()
        self._owner: asyncio.Task[None] | None = None
        self._work: set[asyncio.Task[None]] = set()  # beside the owner: measuring, loading, stopping, watching
        self._residents: dict[Digest, Resident] = {}
        self._pending: list[Waiter] = []  # who needs a load, in order of arrival
        self._measuring = False
        self._closing = False

    @classmethod
    def build(cls, settings: Settings, several: Callable[[], bool] = lambda: False) -> Self:
        return cls(Processes(Launch.of(settings), settings.runtime_dir), Limits.of(settings), several)

    # What others call. None of it touches the state but to read it.

    async def start(self) -> None:
        self._owner = asyncio.create_task(self._own())

    async def close(self) -> None:
        """Refuse who waits, end every runner. Idempotent."""
        if self._owner is None:
            return
        self._closing = True
        self._owner.cancel()
        with suppress(asyncio.CancelledError):
            await self._owner
        self._owner = None  # from here on this is the owner
        for waiter in self._pending:
            _refuse(waiter, _closed())
        self._pending.clear()
        loads = [resident.loading for resident in self._residents.values() if resident.loading is not None]
        for load in loads:
            load.cancel()
        await asyncio.gather(*loads)
        while not self._inbox.empty():  # a load may just have ended: its runner must be known to be stopped
            self._inbox.get_nowait()()
        for resident in self._residents.values():
            self._hush(resident)
        runners = [resident.runner for resident in self._residents.values() if resident.runner is not None]
        await asyncio.gather(*(self._effects.stop(runner) for runner in runners))
        await asyncio.gather(*self._work)
        self._residents.clear()
        await self._effects.close()

    async def lease(
        self,
        weights: Weights,
        name: ModelName,
        manifest: Digest,
        details: Mapping[str, Any],
        load: LoadOptions,
        keep_alive_ns: int | None = None,
        *,
        caller: str = "",
        as_loaded: bool = False,
        exact: bool = False,
    ) -> Lease:
        """Wait for a runner that fits; cancelling it gives the place up.

        `as_loaded`: any runner of the weights does. `exact`: one with more adapters than these does not.

        Raises `Busy`, `LoadFailed`.
        """
        if self._owner is None:
            raise _closed()
        began = time.monotonic_ns()
        waiter = Waiter(weights, name, manifest, details, load, keep_alive_ns, caller, as_loaded, exact)
        self._tell(lambda: self._on_wanted(waiter))
        try:
            resident = await waiter.granted
        except asyncio.CancelledError:
            self._tell(lambda: self._on_given_up(waiter))
            raise
        return Lease(resident, waiter, time.monotonic_ns() - began, self._release)

    def unload(self, weights: Digest) -> None:
        """Let the runner go as soon as it is idle. Nothing happens when it is not loaded."""
        self._tell(lambda: self._on_unload(weights))

    def snapshot(self) -> tuple[RunningModel, ...]:
        """For a report, never a reason to act. The longest remaining life first."""
        now = self._effects.now_ns()
        rows = [resident.row(now) for resident in self._residents.values() if resident.state is not State.STOPPING]
        return tuple(sorted(rows, key=lambda row: -(row.expires_at_ns or FOREVER_NS)))

    async def plan(self, weights: Weights, load: LoadOptions) -> Plan:
        """How a runner would be started now, or how the one that is loaded was: for a report."""
        resident = self._residents.get(weights.digest)
        return resident.plan if resident else make_plan(weights, load, await self._effects.free_memory(), self._limits)

    @property
    def queued(self) -> int:
        """Requests that wait for a load."""
        return len(self._pending)

    def _release(self, resident: Resident, broken: bool) -> None:
        self._tell(lambda: self._on_released(resident, broken))

    # The owner.

    def _tell(self, event: Event) -> None:
        self._inbox.put_nowait(event)

    async def _own(self) -> None:
        while True:
            event = await self._inbox.get()
            try:
                event()
            except Exception:  # a bug here must not leave every later request waiting for ever
                log.exception("the scheduler could not handle an event")

    def _on_wanted(self, waiter: Waiter) -> None:
        """1. A loaded, compatible runner is used at once. 2. A full queue refuses. 3. Otherwise wait for a load."""
        if waiter.granted.done():
            return
        self._planner.saw(waiter)
        if self._closing:
            _refuse(waiter, _closed())
        elif (resident := self._usable(waiter)) is not None:
            self._grant(waiter, resident)
        elif len(self._pending) > self._limits.max_queue:  # the one being processed does not count (§5.3)
            _refuse(waiter, Busy())
        else:
            self._pending.append(waiter)
            self._advance()

    def _on_given_up(self, waiter: Waiter) -> None:
        """The client left. It may hold a lease by now without knowing: the grant and the leaving can cross."""
        if waiter in self._pending:
            self._pending.remove(waiter)
        if not waiter.granted.cancelled() and waiter.granted.exception() is None:
            self._on_released(waiter.granted.result(), broken=False)
            return
        resident = self._residents.get(waiter.weights.digest)
        if resident is not None and resident.loading is not None and not self._joined(resident):
            resident.loading.cancel()
        self._advance()

    def _on_released(self, resident: Resident, broken: bool) -> None:
        resident.leases -= 1
        resident.broken = resident.broken or broken
        if broken and resident.state is State.READY:
            resident.state = State.DRAINING
        self._settle(resident)
        self._advance()

    def _on_measured(self, memory: Memory) -> None:
        self._measuring = False
        self._advance(memory)

    def _on_loaded(self, resident: Resident, runner: RunnerHandle, plan: Plan) -> None:
        resident.loading = None
        resident.runner, resident.plan, resident.state = runner, plan, State.READY
        self._beside(self._watch(resident, runner))
        self._grant_all()
        self._settle(resident)
        self._advance()

    def _on_load_failed(self, resident: Resident, error: PunaError) -> None:
        """Everybody who joined this load gets its error; who wants other options gets a load of their own."""
        for waiter in self._joined(resident):
            self._pending.remove(waiter)
            _refuse(waiter, error)
        self._on_load_ended(resident)

    def _on_load_ended(self, resident: Resident) -> None:
        """Without a runner. After an aborted load this is all: who came meanwhile still waits and starts a new one."""
        del self._residents[resident.digest]
        self._advance()

    def _on_expired(self, resident: Resident) -> None:
        resident.call_off = None
        if resident.state is State.READY and resident.leases == 0:
            self._stop(resident)

    def _on_unload(self, digest: Digest) -> None:
        resident = self._residents.get(digest)
        if resident is None or resident.state is State.STOPPING:
            return
        resident.keep_alive_ns = 0
        self._settle(resident)
        resident.expires_at_ns = self._effects.now_ns()

    def _on_exited(self, resident: Resident, how: str) -> None:
        if resident.state is not State.STOPPING:
            log.warning("the runner of %s left by itself: %s", resident.name, how)
            self._stop(resident)

    def _on_stopped(self, resident: Resident) -> None:
        if self._residents.get(resident.digest) is resident:
            del self._residents[resident.digest]
        self._advance()

    # What the handlers share.

    def _advance(self, memory: Memory | None = None) -> None:
        """Bring the first waiter closer to its runner, one step. One load at a time (§5.1).

        1. Whoever a loaded runner can serve is served: requests for one model go together.
        2. The same weights with other options: the old runner drains and stops first.
        3. Too many models, or no room beside them: one makes room, and this is asked again when it is gone.
        4. Otherwise load.
        `memory` is a fresh measurement; without one the decision waits for it.
        """
        self._grant_all()  # 1
        if not self._pending:
            self._spare_the_draining()
            return
        if self._closing or any(resident.state is State.LOADING for resident in self._residents.values()):
            return
        head = self._pending[0]
        if (own := self._residents.get(head.weights.digest)) is not None:  # 2
            self._drain(own)
        elif memory is None:
            self._measure()
        else:
            plan = self._planner.plan(head, memory)
            crowded = len(self._residents) >= self._limits.max_loaded(memory)
            if crowded or (self._residents and not fits(plan, memory)):  # 3
                self._make_room()
            else:  # 4; the first model always gets to try
                self._load(head, plan, memory)

    def _usable(self, waiter: Waiter) -> Resident | None:
        resident = self._residents.get(waiter.weights.digest)
        if resident is None or resident.state is not State.READY or resident.runner is None:
            return None
        return resident if resident.runner.alive and self._planner.serves(resident, waiter) else None

    def _joined(self, resident: Resident) -> list[Waiter]:
        """Who waits for the load of this runner."""
        return [w for w in self._pending if w.weights.digest == resident.digest and self._planner.serves(resident, w)]

    def _grant_all(self) -> None:
        waiting, self._pending = self._pending, []
        for waiter in waiting:
            if (resident := self._usable(waiter)) is not None:
                self._grant(waiter, resident)
            elif not waiter.granted.done():
                self._pending.append(waiter)

    def _grant(self, waiter: Waiter, resident: Resident) -> None:
        if waiter.granted.done():
            return
        self._hush(resident)
        if not waiter.as_loaded:
            resident.adapters = waiter.weights.adapters
        resident.leases += 1
        resident.expires_at_ns = None
        if waiter.keep_alive_ns is not None:  # sticks until another request says otherwise (§1.7)
            resident.keep_alive_ns = waiter.keep_alive_ns
        waiter.granted.set_result(resident)

    def _settle(self, resident: Resident) -> None:
        """Decide what an idle runner does next: stop, wait for its time, or stay for ever."""
        if resident.leases > 0 or resident.state in (State.LOADING, State.STOPPING):
            return
        if resident.state is State.DRAINING and self._suits_the_first(resident):
            resident.state = State.READY  # it was only to be idle: other adapters are in force from now on
        elif resident.state is State.DRAINING or resident.keep_alive_ns == 0:
            self._stop(resident)
        elif resident.keep_alive_ns != FOREVER_NS:
            self._hush(resident)
            resident.expires_at_ns = self._effects.now_ns() + resident.keep_alive_ns
            expired: Event = lambda: self._on_expired(resident)  # noqa: E731
            resident.call_off = self._effects.after(resident.keep_alive_ns, lambda: self._tell(expired))

    def _suits_the_first(self, resident: Resident) -> bool:
        head = self._pending[0] if self._pending else None
        if head is None or resident.broken or head.weights.digest != resident.digest:
            return False
        return self._planner.serves(resident, head)

    def _hush(self, resident: Resident) -> None:
        if resident.call_off is not None:
            resident.call_off()
            resident.call_off = None

    def _make_room(self) -> None:
        if any(resident.state is State.STOPPING for resident in self._residents.values()):
            return  # room is coming; what it leaves is measured then
        victim = choose_victim(self._residents.values())
        if victim is not None and (victim.leases == 0 or not self._anyone_drains()):
            self._drain(victim)

    def _anyone_drains(self) -> bool:
        return any(resident.state is State.DRAINING for resident in self._residents.values())

    def _drain(self, resident: Resident) -> None:
        if resident.state is State.READY:
            resident.state = State.DRAINING
        self._settle(resident)

    def _spare_the_draining(self) -> None:
        """Nobody waits for the room any more: who was to make it may stay."""
        for resident in self._residents.values():
            if resident.state is State.DRAINING and not resident.broken:
                resident.state = State.READY
                self._settle(resident)

    # Slow work: each of these runs beside the owner and ends in an event.

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    def _measure(self) -> None:
        async def measure() -> None:
            memory = await self._effects.free_memory()
            self._tell(lambda: self._on_measured(memory))

        if not self._measuring:
            self._measuring = True
            self._beside(measure())

    def _load(self, head: Waiter, plan: Plan, memory: Memory) -> None:
        keep_alive_ns = self._limits.keep_alive_ns if head.keep_alive_ns is None else head.keep_alive_ns
        resident = Resident(plan, head.name, head.manifest, head.details, keep_alive_ns)
        self._residents[resident.digest] = resident
        resident.loading = self._beside(self._loaded(resident, memory))

    async def _loaded(self, resident: Resident, memory: Memory) -> None:
        plan = resident.plan
        try:
            runner, plan = await started(self._effects, plan, str(resident.name), memory)
        except asyncio.CancelledError:
            self._tell(lambda: self._on_load_ended(resident))
        except PunaError as failure:
            error = failure
            self._tell(lambda: self._on_load_failed(resident, error))
        except Exception as failure:
            log.exception("a runner could not be started")
            unexpected = PunaError(f"the engine could not be started: {type(failure).__name__}")
            self._tell(lambda: self._on_load_failed(resident, unexpected))
        else:
            self._tell(lambda: self._on_loaded(resident, runner, plan))

    async def _watch(self, resident: Resident, runner: RunnerHandle) -> None:
        how = await runner.exited()
        self._tell(lambda: self._on_exited(resident, how))

    def _stop(self, resident: Resident) -> None:
        async def stop(runner: RunnerHandle) -> None:
            await self._effects.stop(runner)
            self._tell(lambda: self._on_stopped(resident))

        assert resident.runner is not None
        self._hush(resident)
        resident.state = State.STOPPING
        self._beside(stop(resident.runner))


def _refuse(waiter: Waiter, error: PunaError) -> None:
    if not waiter.granted.done():
        waiter.granted.set_exception(error)


def _closed() -> PunaError:
    return PunaError("the server is shutting down", status=503)
