"""What the scheduler decides, as pure functions: which context, does it fit, who goes first, when to reload.

Sizes are bytes, contexts are tokens per slot (contract ollama-http §4.1, §5).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

from puna.engine.types import LoadOptions, Memory, Weights
from puna.settings import Settings

log = logging.getLogger(__name__)

TIERS = (262_144, 131_072, 65_536, 32_768, 16_384, 8_192, 4_096)
MIN_CONTEXT = 4
MIN_VISION_CONTEXT = 2048
WORTH_A_SLOT = 8192  # tokens of automatic context that come before further slots
KV_SHARE = 4  # an automatic context may take a quarter of what is free beside the weights
FIT_SHARE = 0.8  # of free memory, for a model that is loaded beside others
BUFFERS = 128 * 1024 * 1024  # compute buffers and process, measured on small models
DEFAULT_BATCH = 512
EMBEDDING_BATCH = 2048  # an input of an embedding model must fit one batch
DRAFT_TOKENS = 4

ONE_SLOT_FAMILIES = frozenset({
    "mllama", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "qwen3next", "lfm2", "lfm2moe", "nemotron_h",
    "nemotron_h_moe", "nemotron_h_omni",
})  # fmt: skip

_KV_SCALE = {"f16": 1.0, "q8_0": 34 / 64, "q4_0": 18 / 64}  # bytes per block of 32 values against f16's 64


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that scheduling needs."""

    num_parallel: int = 4
    max_loaded_models: int = 0  # 0 = three per GPU, or three without one
    max_queue: int = 512
    keep_alive_ns: int = 300 * 10**9
    context_length: int = 0  # 0 = automatic
    kv_cache_type: str = "f16"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        kv_cache_type = settings.kv_cache_type.lower()
        if kv_cache_type not in _KV_SCALE:
            log.warning("setting kv_cache_type: %r is not one of %s; using f16", kv_cache_type, ", ".join(_KV_SCALE))
            kv_cache_type = "f16"
        return cls(
            num_parallel=settings.num_parallel,
            max_loaded_models=settings.max_loaded_models,
            max_queue=settings.max_queue,
            keep_alive_ns=settings.keep_alive,
            context_length=settings.context_length,
            kv_cache_type=kv_cache_type,
        )

    def max_loaded(self, memory: Memory) -> int:
        return self.max_loaded_models or 3 * max(1, len(memory.gpus))


@dataclass(frozen=True, slots=True)
class Plan:
    """How a runner is started. Every value of `load` that the request left open is settled or the engine's choice."""

    weights: Weights
    load: LoadOptions
    n_ctx: int  # tokens per slot
    slots: int
    n_batch: int
    automatic_context: bool
    kv_cache_type: str = "f16"
    has_gpu: bool = False
    caller: str | None = ""  # the only one whom it serves; None = all, with their texts kept apart (threats T24)

    @property
    def shared(self) -> bool:
        return self.caller is None

    @property
    def memory(self) -> int:
        """Predicted bytes. Each slot has the whole context to itself (§5.1)."""
        cache = kv_bytes(self.weights, self.kv_cache_type) * self.n_ctx * self.slots
        return self.weights.size + cache + BUFFERS

    def smaller(self) -> Plan | None:
        """The same with the next smaller automatic context; None when there is none to try."""
        below = [tier for tier in TIERS if tier < self.n_ctx]
        return replace(self, n_ctx=below[0]) if self.automatic_context and below else None


def make_plan(weights: Weights, load: LoadOptions, memory: Memory, limits: Limits) -> Plan:
    """How to start a runner with `memory` free: slots give way to a context that was asked for, never the other way."""
    one_slot = weights.embedding_only or weights.architecture in ONE_SLOT_FAMILIES
    most = 1 if one_slot else max(1, limits.num_parallel)
    room = max(memory.budget - weights.size - BUFFERS, 0)
    per_token = kv_bytes(weights, limits.kv_cache_type)
    num_ctx = load.num_ctx or limits.context_length
    if num_ctx:
        n_ctx = clamp_context(num_ctx, weights)
        slots = slots_in(int(room * FIT_SHARE), n_ctx * per_token, most)
    else:
        n_ctx, slots = default_context(room, weights.train_ctx, per_token, most)
    return Plan(
        weights=weights,
        load=load,
        n_ctx=n_ctx,
        slots=slots,
        n_batch=_batch(weights, load, n_ctx),
        automatic_context=not num_ctx,
        kv_cache_type=limits.kv_cache_type,
        has_gpu=bool(memory.gpus),
    )


def default_context(room: int, trained: int, per_token: int, most: int) -> tuple[int, int]:
    """Context and slots when nobody says: the longest of the trained length and the tiers below it whose caches fit.

    They may take a quarter of `room`, the free bytes beside the weights; `per_token` is the bytes of one token's cache,
    `most` the slots wanted. A second slot is worth less than 8,192 tokens for one long conversation.
    """
    trained = trained or TIERS[-1]
    candidates = [trained, *(tier for tier in TIERS if tier < trained)]
    if not per_token:
        return candidates[-1], most
    budget = room // KV_SHARE
    for slots in range(most, 0, -1):
        n_ctx = next((n_ctx for n_ctx in candidates if n_ctx * per_token * slots <= budget), 0)
        if n_ctx >= min(trained, WORTH_A_SLOT):
            return n_ctx, slots
    return candidates[-1], slots_in(budget, candidates[-1] * per_token, most)


def slots_in(room: int, per_slot: int, most: int) -> int:
    """How many slots of `per_slot` bytes `room` holds, at least one."""
    return max(1, min(most, room // per_slot)) if per_slot else most


def clamp_context(num_ctx: int, weights: Weights) -> int:
    floor = MIN_VISION_CONTEXT if weights.projectors else MIN_CONTEXT
    wanted = max(num_ctx, floor)
    return min(wanted, weights.train_ctx) if weights.train_ctx else wanted


def kv_bytes(weights: Weights, kv_cache_type: str) -> int:
    """Bytes of cache for one token of one slot; 0 = unknown."""
    return int(weights.kv_bytes_per_token * _KV_SCALE.get(kv_cache_type, 1.0))


def fits(plan: Plan, memory: Memory) -> bool:
    """Whether the plan may be loaded beside what is running."""
    return plan.memory <= FIT_SHARE * memory.budget


def fits_at_all(plan: Plan, memory: Memory) -> bool:
    """Whether its cache alone is possible on this machine; weights may be paged in from the file."""
    return plan.memory - plan.weights.size <= memory.total + sum(gpu.total for gpu in memory.gpus)


class Evictable(Protocol):
    """A loaded model as the eviction order sees it."""

    @property
    def leases(self) -> int: ...  # requests being answered

    @property
    def keep_alive_ns(self) -> int: ...

    @property
    def plan(self) -> Plan: ...


T = TypeVar("T", bound=Evictable)


def choose_victim(residents: Iterable[T]) -> T | None:
    """Who makes room (§5.1): an idle one before a busy one, the shortest keep-alive first, ties by path.

    A busy victim is only drained, never ended while it answers.
    """
    order = sorted(residents, key=lambda r: (r.leases > 0, r.keep_alive_ns, str(r.plan.weights.path)))
    return order[0] if order else None


def needs_reload(
    running: Plan, weights: Weights, wanted: LoadOptions, context_length: int = 0, *, exact: bool = False
) -> bool:
    """Whether a request cannot be served by the runner that has the same weights loaded (§5.4).

    An adapter that it has beside those that are wanted does no harm, but with `exact`.
    """
    now, files = running.load, running.weights
    if (files.projectors, files.draft) != (weights.projectors, weights.draft):
        return True
    loaded, needed = ({adapter.path for adapter in each.adapters} for each in (files, weights))
    if loaded != needed if exact else not needed <= loaded:
        return True
    if now.shift != wanted.shift or _context_differs(running, weights, wanted.num_ctx or context_length):
        return True
    if wanted.num_gpu is not None and wanted.num_gpu != now.num_gpu:  # automatic matches anything
        return True
    return (
        running.n_batch != _batch(weights, wanted, running.n_ctx)
        or draft_tokens(running.weights, now) != draft_tokens(weights, wanted)
        or (now.main_gpu, now.use_mmap, now.num_thread) != (wanted.main_gpu, wanted.use_mmap, wanted.num_thread)
    )


def _context_differs(running: Plan, weights: Weights, num_ctx: int) -> bool:
    if num_ctx:
        return clamp_context(num_ctx, weights) != running.n_ctx
    # Automatic may be any size, but not what somebody else chose, unless nothing larger exists.
    return not running.automatic_context and running.n_ctx != weights.train_ctx


def _batch(weights: Weights, load: LoadOptions, n_ctx: int) -> int:
    if load.num_batch:
        return load.num_batch
    return min(EMBEDDING_BATCH, n_ctx) if weights.embedding_only else DEFAULT_BATCH


def draft_tokens(weights: Weights, load: LoadOptions) -> int:
    """How many tokens a draft model guesses ahead; 0 = no guessing."""
    default = DRAFT_TOKENS if weights.draft else 0
    return default if load.draft_num_predict is None else load.draft_num_predict
