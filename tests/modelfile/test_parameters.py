"""PARAMETER values and their types (contract ollama-store §4.4)."""

from __future__ import annotations

import json

import pytest

from puna.errors import BadRequest
from puna.modelfile import parse_parameter, parse_parameters


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("num_ctx", "4096", 4096),
        ("seed", "-1", -1),
        ("seed", "+7", 7),
        ("num_predict", "9223372036854775807", 2**63 - 1),
        ("temperature", "0.7", 0.7),
        ("temperature", ".5", 0.5),
        ("top_p", "1", 1),
        ("top_p", "0.123456789", 0.12345679),
        ("min_p", "5e-2", 0.05),
        ("repeat_penalty", "1.1", 1.1),
        ("use_mmap", "true", True),
        ("use_mmap", "F", False),
        ("stop", "<|im_end|>", ["<|im_end|>"]),
        ("stop", "", [""]),
    ],
)
def test_values_get_the_type_of_their_parameter(name: str, text: str, value: object) -> None:
    parsed = parse_parameter(name, text)
    assert parsed == value
    assert type(parsed) is type(value)


def test_whole_floats_are_written_without_a_point() -> None:
    """The digest of a params blob depends on it: `"temperature":1`."""
    assert json.dumps(parse_parameter("temperature", "1.0")) == "1"


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("num_ctx", "4k", "invalid int value [4k]"),
        ("num_ctx", "1.5", "invalid int value [1.5]"),
        ("num_ctx", "1e3", "invalid int value [1e3]"),
        ("num_ctx", "٤", "invalid int value [٤]"),
        ("num_ctx", "9223372036854775808", "invalid int value [9223372036854775808]"),
        ("num_ctx", "", "invalid int value []"),
        ("top_p", "high", "invalid float value [high]"),
        ("top_p", "nan", "invalid float value [nan]"),
        ("top_p", "inf", "invalid float value [inf]"),
        ("top_p", "1e39", "invalid float value [1e39]"),
        ("top_p", "1_0", "invalid float value [1_0]"),
        ("use_mmap", "yes", "invalid bool value [yes]"),
        ("numa", "true", "unknown parameter 'numa'"),
        ("num_gqa", "8", "unknown parameter 'num_gqa'"),
        ("Temperature", "1", "unknown parameter 'Temperature'"),
    ],
)
def test_a_wrong_value_is_named(name: str, text: str, error: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_parameter(name, text)
    assert caught.value.message == error


def test_the_last_value_wins_stop_accumulates_and_retired_names_only_warn() -> None:
    parameters = parse_parameters(
        [
            ("seed", "1"),
            ("stop", "a"),
            ("mirostat", "2"),
            ("seed", "2"),
            ("stop", "b"),
            ("mirostat", "0"),
            ("f16_kv", "x"),
        ]
    )
    assert parameters.values == {"seed": 2, "stop": ["a", "b"]}
    assert parameters.warnings == (
        "warning: parameter mirostat is deprecated",
        "warning: parameter f16_kv is deprecated",
    )
