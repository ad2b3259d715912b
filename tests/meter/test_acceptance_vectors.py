"""Contract meter §16, row by row, and what §8, §10 and §13 say beside them."""

from __future__ import annotations

import pytest

from puna.meter.matching import match_model
from puna.meter.sizes import format_size, is_guessed, size_number
from puna.meter.trend import Thirds, trend


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        (1_600_000_000_000, "1.6T"), (7_800_000_000, "7.8B"), (300_000_000, "300M"), (999_999, "999999"),
        (7_000_000_000, "7B"), ("7b", "7B"), ("1.5 b", "1.5B"), ("8.03B", "8.03B"), ("134.52M", "134.52M"), (0, "0"),
    ],
)  # fmt: skip
def test_sizes_that_are_told(parameters: object, shown: str) -> None:
    assert format_size(parameters, "model:3b") == shown
    assert not is_guessed(parameters, "model:3b")


@pytest.mark.parametrize(
    ("parameters", "name", "shown"),
    [
        (None, "mixtral:8x7b", "7B"), (None, "llama3.2-3b", "3B"), (None, "gemma:2b-instruct", "2B"),
        (None, "smollm2:135m", "135M"), (None, "hf.co/org/Model-1.5B-GGUF:Q4_K_M", "1.5B"), ("much", "x:70b", "70B"),
    ],
)  # fmt: skip
def test_sizes_that_are_guessed_from_the_name(parameters: object, name: str, shown: str) -> None:
    assert format_size(parameters, name) == shown
    assert is_guessed(parameters, name)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [(None, "tiny"), (" 8B", "model"), (None, "qwen3tiny"), (None, "v2medium"), (True, "x"), ([], "x"), ("8Bit", "x")],
)
def test_C13_sizes_that_nobody_knows(parameters: object, name: str) -> None:
    assert format_size(parameters, name) == "0B"
    assert not is_guessed(parameters, name)


def test_sizes_compare_as_numbers() -> None:
    shown = ["1.6T", "70B", "7.8B", "7B", "300M", "5K", "999"]
    assert sorted(shown, key=size_number, reverse=True) == shown
    assert size_number("?") == 0


@pytest.mark.parametrize(("n", "low", "high"), [(1, 1, 1), (2, 1, 2), (3, 1, 3), (5, 1, 4), (6, 2, 5), (9, 3, 7)])
def test_thresholds_over_one_to_n(n: int, low: float, high: float) -> None:
    assert Thirds.of(range(n, 0, -1)) == Thirds(low, high)


def test_thirds_say_good_and_bad() -> None:
    thirds = Thirds.of([1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert thirds is not None
    assert [thirds.place(value, lower_is_better=True) for value in (3, 4, 7)] == ["good", "middle", "bad"]
    assert [thirds.place(value, lower_is_better=False) for value in (3, 4, 7)] == ["bad", "middle", "good"]
    assert Thirds.of([]) is None


@pytest.mark.parametrize(
    ("current", "previous", "lower_is_better", "arrow"),
    [
        (0.5, 1.0, True, "↑"), (10, 20, False, "↓"), (1.0, 1.025, True, "→"), (5, 0, False, "→"),
        (0.96, 1.0, True, "→"), (95, 100, False, "↓"), (105, 100, False, "↑"), (105, 100, True, "↓"),
        (None, 1.0, True, None), (1.0, None, True, None),
    ],
)  # fmt: skip
def test_trends(current: float | None, previous: float | None, lower_is_better: bool, arrow: str | None) -> None:
    assert trend(current, previous, lower_is_better=lower_is_better) == arrow


@pytest.mark.parametrize(
    ("name", "target", "found"),
    [
        ("llama3:latest", "llama3", True), ("llama3", "llama3:latest", True), ("codellama:7b", "code", False),
        ("x", "", False), ("llama3:70b", "llama3", True), ("a:b", "a:b", True), ("llama3:8b-q4", "llama3:8b", False),
    ],
)  # fmt: skip
def test_matching(name: str, target: str, found: bool) -> None:
    assert match_model(name, target) is found


def test_C4_a_tag_means_that_model_alone_unless_the_family_is_wanted() -> None:
    assert not match_model("llama3:70b", "llama3:8b")
    assert match_model("llama3:70b", "llama3:8b", family=True)
    assert not match_model("llama3", "llama3:8b")
