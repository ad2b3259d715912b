"""The models in memory as the scheduler keeps them: their states, their leases, and rows for `ps`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Self

from puna.engine.effects import RunnerHandle
from puna.engine.llama import LlamaDriver
from puna.engine.policy import Plan
from puna.engine.types import Adapter, LoadOptions, RunningModel, Weights
from puna.errors import RunnerDied
from puna.names import Digest, ModelName
from puna.units import FOREVER_NS


class State(Enum):
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"  # answers what it has, takes nothing new
    STOPPING = "stopping"


@dataclass(slots=True, eq=False)
class Resident:
    """One runner and what the scheduler knows of it. Only the scheduler's task changes it."""

    plan: Plan
    name: ModelName  # the model that caused the load
    manifest: Digest
    details: Mapping[str, Any]
    keep_alive_ns: int
    state: State = State.LOADING
    runner: RunnerHandle | None = None
    leases: int = 0
    expires_at_ns: int | None = None  # Unix time while a timer runs, or when an unload was asked for
    call_off: Callable[[], None] | None = None  # the expiry timer
    loading: asyncio.Task[None] | None = None
    adapters: Sequence[Adapter] = ()  # of the requests that it answers now
    broken: bool = False  # a lease ended with a dead connection: never give it out again

    @property
    def digest(self) -> Digest:
        return self.plan.weights.digest

    def row(self, now_ns: int) -> RunningModel:
        """The snapshot for `ps` (contract ollama-http §3.3)."""
        in_use = self.runner.memory() if self.runner is not None else (self.plan.memory, 0)
        expires_at = self.expires_at_ns
        if expires_at is None and self.keep_alive_ns != FOREVER_NS:
            expires_at = now_ns + self.keep_alive_ns
        return RunningModel(
            name=self.name,
            manifest=self.manifest,
            weights=self.plan.weights,
            memory=in_use[0],
            memory_gpu=in_use[1],
            n_ctx=self.plan.n_ctx if self.runner is None else self.runner.props.n_ctx,
            slots=self.plan.slots,
            expires_at_ns=expires_at,
            busy=self.leases,
            loading=self.state is State.LOADING,
            pid=self.runner.pid if self.runner is not None else None,
            details=self.details,
        )


@dataclass(slots=True, eq=False)
class Waiter:
    """One request for a lease, until it is granted, refused or given up."""

    weights: Weights
    name: ModelName
    manifest: Digest
    details: Mapping[str, Any]
    load: LoadOptions
    keep_alive_ns: int | None
    caller: str = ""  # who asks; empty = anybody, on a server without keys
    as_loaded: bool = False  # any runner of the weights will do, whatever its options
    exact: bool = False  # … and none that has more adapters than are wanted
    granted: asyncio.Future[Resident] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Lease:
    """The right to ask one runner, until the `async with` block ends. The runner stays loaded as long."""

    def __init__(
        self, resident: Resident, waiter: Waiter, load_ns: int, release: Callable[[Resident, bool], None]
    ) -> None:
        assert resident.runner is not None
        self.runner: RunnerHandle = resident.runner
        self.load_ns = load_ns  # from the call of `lease` to now
        self.load: LoadOptions = resident.plan.load
        self._resident = resident
        self._waiter = waiter
        self._release: Callable[[Resident, bool], None] | None = release

    @property
    def driver(self) -> LlamaDriver:
        return self.runner.driver.speaking_for(self._waiter.caller, self._waiter.weights.adapters)

    @property
    def n_ctx(self) -> int:
        """Tokens of context for this request, as the engine allocated them."""
        return self.runner.props.n_ctx

    @property
    def max_embed_tokens(self) -> int:
        """Tokens of one input to embed, those included that the tokenizer adds: it must fit one batch."""
        return min(self.n_ctx, self._resident.plan.n_batch)

    @property
    def adds_eos(self) -> bool:
        return self.runner.props.adds_eos

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release(broken=isinstance(error, RunnerDied))

    def release(self, *, broken: bool = False) -> None:
        """Give it back; idempotent. `broken`: the runner no longer answers."""
        release, self._release = self._release, None
        if release is not None:
            release(self._resident, broken)
