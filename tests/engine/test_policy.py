"""Which context, does it fit, who goes first, when to reload: tables (contract ollama-http §4.1, §5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from puna.engine.policy import (
    BUFFERS,
    TIERS,
    Limits,
    Plan,
    choose_victim,
    clamp_context,
    default_context,
    draft_tokens,
    fits,
    make_plan,
    needs_reload,
)
from puna.engine.types import Adapter, GpuMemory, LoadOptions, Memory, Weights
from puna.settings import Settings
from tests.engine.fakes import GIB, weights

ROOMY = Memory(1000 * GIB, 1000 * GIB)


def plan(what: Weights | None = None, memory: Memory = ROOMY, limits: Limits | None = None, **load: Any) -> Plan:
    return make_plan(what or weights(), LoadOptions(**load), memory, limits or Limits())


KIB_32 = 32 * 1024  # bytes of cache per token: 1 GiB holds 32,768 tokens


@pytest.mark.parametrize(
    ("room_gib", "n_ctx", "slots"),
    [
        (0, 4096, 1),
        (0.5, 4096, 1),
        (1, 8192, 1),
        (2, 8192, 2),
        (3, 8192, 3),
        (4, 8192, 4),
        (16, 32768, 4),
        (64, 131072, 4),
        (1000, 131072, 4),
    ],
)
def test_the_automatic_context_takes_a_quarter_of_the_room(room_gib: float, n_ctx: int, slots: int) -> None:
    assert default_context(int(room_gib * GIB), 131072, KIB_32, 4) == (n_ctx, slots)


def test_a_trained_length_between_two_tiers_is_a_candidate_itself() -> None:
    assert default_context(1000 * GIB, 40960, KIB_32, 4) == (40960, 4)


def test_a_model_trained_on_short_texts_has_all_its_slots_early() -> None:
    assert default_context(GIB, 2048, KIB_32, 4) == (2048, 4)


def test_a_smaller_cache_type_allows_a_longer_context() -> None:
    model = weights(size=0, train_ctx=131072, kv_bytes_per_token=KIB_32)
    memory = Memory(16 * GIB + BUFFERS, 16 * GIB + BUFFERS)
    assert plan(model, memory).n_ctx == 32768
    assert plan(model, memory, Limits(kv_cache_type="q4_0")).n_ctx == 65536


@pytest.mark.parametrize(("trained", "n_ctx"), [(2048, 2048), (512, 512), (0, 4096), (131072, 4096)])
def test_an_unknown_cache_size_gives_the_smallest_tier(trained: int, n_ctx: int) -> None:
    assert default_context(1000 * GIB, trained, 0, 1) == (n_ctx, 1)


@pytest.mark.parametrize(("num_ctx", "slots"), [(4096, 4), (65536, 4), (100_000, 4), (131072, 3), (200_000, 2)])
def test_slots_give_way_to_a_context_that_was_asked_for(num_ctx: int, slots: int) -> None:
    """16 GiB of room, four fifths of it for caches: about 420,000 tokens in all."""
    memory = Memory(17 * GIB + BUFFERS, 17 * GIB + BUFFERS)
    made = plan(weights(size=GIB, train_ctx=262144, kv_bytes_per_token=KIB_32), memory, num_ctx=num_ctx)
    assert (made.n_ctx, made.slots) == (num_ctx, slots)


@pytest.mark.parametrize(
    ("num_ctx", "trained", "vision", "expected"),
    [
        (2048, 8192, False, 2048),
        (99999, 8192, False, 8192),
        (1, 8192, False, 4),
        (1, 8192, True, 2048),
        (1, 512, True, 512),
        (99999, 0, False, 99999),
    ],
)
def test_num_ctx_has_a_floor_and_ends_at_the_trained_length(
    num_ctx: int, trained: int, vision: bool, expected: int
) -> None:
    projectors = (Path("/models/p"),) if vision else ()
    assert clamp_context(num_ctx, weights(train_ctx=trained, projectors=projectors)) == expected


def test_the_settings_context_is_a_choice_not_a_guess() -> None:
    made = plan(limits=Limits(context_length=2048))
    assert (made.n_ctx, made.automatic_context, made.smaller()) == (2048, False, None)


def test_memory_counts_the_whole_context_for_each_slot() -> None:
    made = plan(weights(size=10, kv_bytes_per_token=100), num_ctx=1000)
    assert made.memory == 10 + 100 * 1000 * 4 + BUFFERS


@pytest.mark.parametrize(
    ("what", "slots"),
    [(weights(), 4), (weights(embedding_only=True), 1), (weights(architecture="qwen3vl"), 1)],
)
def test_some_models_answer_one_request_at_a_time(what: Weights, slots: int) -> None:
    assert plan(what).slots == slots
    assert plan(what, limits=Limits(num_parallel=0)).slots == 1


def test_an_embedding_model_reads_a_whole_input_in_one_batch() -> None:
    assert plan(weights(embedding_only=True, train_ctx=512)).n_batch == 512
    assert plan(weights(embedding_only=True, train_ctx=8192)).n_batch == 2048
    assert plan().n_batch == 512
    assert plan(num_batch=64).n_batch == 64


def test_smaller_goes_down_the_tiers_and_ends() -> None:
    made = plan(weights(train_ctx=20000))
    seen = [made.n_ctx]
    while (less := made.smaller()) is not None:
        made = less
        seen.append(made.n_ctx)
    assert seen == [20000, 16384, 8192, 4096]
    assert set(seen[1:]) <= set(TIERS)


def test_a_second_model_needs_a_fifth_of_the_memory_left_over() -> None:
    made = plan(weights(size=8 * GIB, kv_bytes_per_token=0))
    assert not fits(made, Memory(10 * GIB, 64 * GIB))
    assert fits(made, Memory(11 * GIB, 64 * GIB))


def test_with_a_gpu_its_memory_is_what_counts() -> None:
    memory = Memory(64 * GIB, 64 * GIB, (GpuMemory("gpu", 2 * GIB, 24 * GIB),))
    assert not fits(plan(weights(size=8 * GIB)), memory)
    assert Limits().max_loaded(replace(memory, gpus=memory.gpus * 2)) == 6
    assert Limits().max_loaded(Memory(1, 1)) == 3
    assert Limits(max_loaded_models=1).max_loaded(memory) == 1


@dataclass
class Candidate:
    leases: int
    keep_alive_ns: int
    plan: Plan


def candidate(letter: str, leases: int, keep_alive: int) -> Candidate:
    return Candidate(leases, keep_alive, plan(weights(letter)))


@pytest.mark.parametrize(
    ("rows", "victim"),
    [
        ([("a", 0, 9), ("b", 0, 5), ("c", 0, 7)], "b"),
        ([("a", 1, 1), ("b", 0, 9)], "b"),
        ([("b", 0, 5), ("a", 0, 5)], "a"),
        ([("a", 2, 9), ("b", 1, 5)], "b"),
    ],
)
def test_eviction_order(rows: list[tuple[str, int, int]], victim: str) -> None:
    chosen = choose_victim([candidate(*row) for row in rows])
    assert chosen is not None
    assert chosen.plan.weights.path.name == victim


def test_nobody_to_evict() -> None:
    assert choose_victim(list[Candidate]()) is None


@pytest.mark.parametrize(
    ("running", "wanted", "reload"),
    [
        ({}, {}, False),
        ({}, {"num_ctx": 8192}, False),  # what automatic chose
        ({}, {"num_ctx": 99999}, False),  # the same after clamping
        ({}, {"num_ctx": 4096}, True),
        ({"num_ctx": 4096}, {}, True),
        ({"num_ctx": 8192}, {}, False),  # nothing larger exists
        ({"num_ctx": 4096}, {"num_ctx": 4096}, False),
        ({"num_gpu": 5}, {}, False),  # automatic matches anything
        ({}, {"num_gpu": 5}, True),
        ({"num_gpu": 5}, {"num_gpu": 6}, True),
        ({}, {"num_batch": 512}, False),
        ({}, {"num_batch": 256}, True),
        ({}, {"num_thread": 2}, True),
        ({}, {"main_gpu": 0}, True),
        ({}, {"use_mmap": True}, True),
        ({}, {"shift": False}, True),
        ({}, {"draft_num_predict": 0}, False),
        ({}, {"draft_num_predict": 2}, True),
    ],
)
def test_reload_conditions(running: dict[str, Any], wanted: dict[str, Any], reload: bool) -> None:
    assert needs_reload(plan(**running), weights(), LoadOptions(**wanted)) is reload


def test_the_context_of_the_settings_counts_like_a_request() -> None:
    running = plan(limits=Limits(context_length=2048))
    assert not needs_reload(running, weights(), LoadOptions(), context_length=2048)
    assert needs_reload(running, weights(), LoadOptions(num_ctx=4096), context_length=2048)


def test_another_projector_beside_the_same_weights_reloads() -> None:
    assert needs_reload(plan(), weights(projectors=(Path("/models/x"),)), LoadOptions())


@pytest.mark.parametrize(
    ("loaded", "wanted", "exact", "reload"),
    [
        ("", "x", False, True),
        ("x", "x", False, False),
        ("xy", "x", False, False),
        ("xy", "", False, False),
        ("xy", "", True, True),
        ("xy", "yx", True, False),
        ("xy", "z", False, True),
    ],
)
def test_only_an_adapter_that_is_not_loaded_reloads(loaded: str, wanted: str, exact: bool, reload: bool) -> None:
    """`exact`: nor may there be one too many."""
    running, asked = ([Adapter(Path(letter), 1) for letter in letters] for letters in (loaded, wanted))
    now = replace(plan(), weights=weights(adapters=tuple(running)))
    other_scale = tuple(replace(adapter, scale=0.5) for adapter in asked)
    assert needs_reload(now, weights(adapters=other_scale), LoadOptions(), exact=exact) is reload


def test_only_a_draft_model_guesses_ahead_by_default() -> None:
    assert draft_tokens(weights(), LoadOptions()) == 0
    assert draft_tokens(weights(draft=Path("/models/d")), LoadOptions()) == 4
    assert draft_tokens(weights(draft=Path("/models/d")), LoadOptions(draft_num_predict=0)) == 0


def test_an_unknown_cache_type_of_the_settings_falls_back_to_f16() -> None:
    assert Limits.of(Settings(kv_cache_type="Q8_0")).kv_cache_type == "q8_0"
    assert Limits.of(Settings(kv_cache_type="q3")).kv_cache_type == "f16"
