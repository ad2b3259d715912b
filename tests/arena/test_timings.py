"""Where the time of an answer went (contract arena §2.9)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from puna.arena.metrics import Stopwatch
from puna.arena.timings import Timings, timings

MS = 1_000_000
COUNTED = {
    "done_reason": "stop", "load_duration": 200 * MS, "prompt_eval_count": 30, "prompt_eval_duration": 150 * MS,
    "eval_count": 10, "eval_duration": 500 * MS,
}  # fmt: skip


def found(line: dict[str, Any], *pieces: tuple[int, bool], now_ms: int = 1000, **more: Any) -> Timings:
    """Asked at 0 ms, sent to the upstream at 100 ms; `pieces` are (ms, whether of the answer)."""
    watch = Stopwatch(100 * MS)
    for at, answer in pieces:
        watch.heard(at * MS, answer=answer)
    return timings(line, watch, watch.metrics(line, now_ms * MS), asked_ns=0, now_ns=now_ms * MS, **more)


def test_the_upstreams_durations_and_our_own_clock() -> None:
    assert found(COUNTED, (400, True), (900, True)) == Timings(
        queue_s=0.1, load_s=0.2, prompt_s=0.15, thinking_s=None, generation_s=0.5, wall_s=1.0, first_token_s=0.3,
        first_answer_s=0.3, prompt_tokens=30, output_tokens=10, prompt_per_s=200.0, output_per_s=20.0,
        done_reason="stop",
    )  # fmt: skip


def test_thinking_lasts_until_the_answer_or_to_the_end() -> None:
    thought = found(COUNTED, (300, False), (500, False), (700, True))
    assert (thought.first_token_s, thought.first_answer_s, thought.thinking_s) == (0.2, 0.6, 0.4)
    nothing_said = found(COUNTED, (300, False))
    assert (nothing_said.first_answer_s, nothing_said.thinking_s) == (None, 0.7)


@pytest.mark.parametrize(("load_ms", "cold"), [(0, False), (200, False), (201, True)])
def test_a_model_that_had_to_be_loaded_was_cold(load_ms: int, cold: bool) -> None:
    assert found({"load_duration": load_ms * MS}).cold == cold


def test_the_share_of_the_context_never_exceeds_it() -> None:
    assert found(COUNTED, n_ctx=80).context_used == 0.5
    assert found(COUNTED, n_ctx=10).context_used == 1.0
    assert found(COUNTED).context_used is None


@pytest.mark.parametrize("line", [{}, {"eval_count": "9", "load_duration": -1, "done_reason": 7}])
def test_what_nobody_knows_is_null(line: dict[str, Any]) -> None:
    times = found(line)
    assert (times.load_s, times.prompt_s, times.prompt_tokens, times.prompt_per_s) == (None, None, None, None)
    assert (times.generation_s, times.output_per_s, times.first_token_s) == (None, None, None)
    assert (times.done_reason, times.output_tokens, times.cold) == ("", 0, False)


def test_on_the_wire_times_have_three_decimals_and_rates_two() -> None:
    wire = Timings(queue_s=0.12345, output_per_s=19.0476, output_tokens=8).wire()
    assert (wire["queue_s"], wire["output_per_s"], wire["output_tokens"]) == (0.123, 19.05, 8)
    assert json.loads(json.dumps(wire)) == wire
