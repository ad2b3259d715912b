"""Tokens, seconds and speed of an answer (contract arena X1 to X4)."""

from __future__ import annotations

import pytest

from puna.arena.metrics import Metrics, Stopwatch

MS = 1_000_000


def heard(*times_ms: int) -> Stopwatch:
    watch = Stopwatch(0)
    for time in times_ms:
        watch.heard(time * MS)
    return watch


def test_X1_tokens_are_the_upstreams_count_and_never_the_pieces() -> None:
    line = {"eval_count": 9, "eval_duration": 3 * MS}
    assert heard(1, 2).metrics(line, 5 * MS) == Metrics(9, 3 * MS, estimated=False)


def test_X2_the_duration_is_the_upstreams_and_the_speed_comes_from_unrounded_values() -> None:
    found = Metrics(7, 1_234_600)
    assert (found.duration_s, found.tokens_per_sec) == (0.001, 5669.85)
    assert Metrics(7, 0).tokens_per_sec == 0.0


def test_X2_a_zero_is_a_count() -> None:
    assert heard(1).metrics({"eval_count": 0, "eval_duration": 0}, 5 * MS) == Metrics(0, 0)


@pytest.mark.parametrize("line", [{}, {"eval_count": "9"}, {"eval_count": True, "eval_duration": -1}])
def test_X3_without_counters_pieces_and_the_own_clock_count(line: dict[str, object]) -> None:
    assert heard(100, 250, 400).metrics(line, 900 * MS) == Metrics(3, 300 * MS, estimated=True)


def test_X3_a_single_piece_took_the_whole_time() -> None:
    assert heard(100).metrics({}, 900 * MS) == Metrics(1, 900 * MS, estimated=True)
    assert heard().metrics({}, 900 * MS) == Metrics(0, 900 * MS, estimated=True)


@pytest.mark.parametrize(
    ("tokens", "duration_ns", "seconds", "speed"),
    [(8, 420_000_000, 0.42, 19.05), (12, 530_000_000, 0.53, 22.64), (5, 310_000_000, 0.31, 16.13)],
)
def test_X4_the_documents_figures(tokens: int, duration_ns: int, seconds: float, speed: float) -> None:
    found = Metrics(tokens, duration_ns)
    assert (found.duration_s, found.tokens_per_sec) == (seconds, speed)
