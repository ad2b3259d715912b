"""What `options` of a request may be, and what of it the engine gets to see (contract ollama-http §4.1, §4.2)."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest

from puna.engine.options import HISTORIC, OPTIONS, Boolean, Float, Integer, Texts, engine_body, merge_options
from puna.engine.types import LoadOptions, SamplingOptions
from puna.errors import BadRequest, PunaError

N_CTX = 4096


def sampling(**options: Any) -> SamplingOptions:
    return merge_options(options)[1]


def load(**options: Any) -> LoadOptions:
    return merge_options(options)[0]


def test_no_options_are_the_defaults() -> None:
    assert merge_options() == (LoadOptions(), SamplingOptions())


def test_the_request_wins_over_the_model() -> None:
    merged = merge_options({"temperature": 0.1, "top_k": 5}, {"temperature": 0.9})
    assert merged[1] == SamplingOptions(temperature=0.9, top_k=5)


def test_the_stop_list_of_a_request_replaces_the_models() -> None:
    assert merge_options({"stop": ["a", "b"]}, {"stop": ["c"]})[1].stop == ("c",)
    assert merge_options({"stop": ["a"]}, {"stop": []})[1].stop == ()


def test_null_leaves_the_weaker_value() -> None:
    assert merge_options({"seed": 7}, {"seed": None})[1].seed == 7


def test_unknown_options_are_logged_and_ignored(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert merge_options({"nonsense": 1, "n_discard": -5}) == (LoadOptions(), SamplingOptions())
    assert "nonsense" in caplog.text


@pytest.mark.parametrize("name", sorted(HISTORIC))
def test_historic_options_are_ignored_whatever_their_value(name: str) -> None:
    assert merge_options({name: object()}) == (LoadOptions(), SamplingOptions())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"seed": "1"}, 'option "seed" must be of type integer'),
        ({"num_ctx": True}, 'option "num_ctx" must be of type integer'),
        ({"temperature": "hot"}, 'option "temperature" must be of type float32'),
        ({"top_p": []}, 'option "top_p" must be of type float32'),
        ({"use_mmap": 1}, 'option "use_mmap" must be of type boolean'),
        ({"stop": 1}, 'option "stop" must be of type array'),
        ({"stop": {}}, 'option "stop" must be of type array'),
        ({"stop": ["a", 1]}, 'option "stop" must be of an array of strings'),
    ],
)
def test_a_wrong_type_is_the_references_500(options: dict[str, Any], text: str) -> None:
    with pytest.raises(PunaError) as caught:
        merge_options(options)
    assert (caught.value.status, str(caught.value)) == (500, text)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"top_p": 1.5}, 'option "top_p" must be between 0 and 1'),
        ({"temperature": -1}, 'option "temperature" must be between 0 and 100'),
        ({"repeat_penalty": 0}, 'option "repeat_penalty" must be between 0.01 and 100'),
        ({"num_ctx": -5}, 'option "num_ctx" must be between 0 and 16777216'),
        ({"num_thread": 1e308}, 'option "num_thread" must be between 0 and 512'),
        ({"num_batch": 0}, 'option "num_batch" must be between 1 and 16384'),
    ],
)
def test_T18_a_number_outside_its_range_is_a_400_that_names_the_range(options: dict[str, Any], text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        merge_options(options)
    assert str(caught.value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", [name for name, kind in OPTIONS.items() if hasattr(kind, "low")])
def test_T18_nan_and_infinity_are_refused(name: str, value: float) -> None:
    with pytest.raises(BadRequest, match=name):
        merge_options({name: value})


def test_fractions_are_cut_and_whole_numbers_are_floats() -> None:
    assert sampling(top_k=3.9, temperature=1) == SamplingOptions(top_k=3, temperature=1.0)
    assert sampling(num_predict=-0.5).num_predict == 0


def test_numbers_are_clamped_only_where_the_contract_clamps() -> None:
    assert sampling(num_predict=-9, num_keep=-9, top_k=-9) == SamplingOptions(num_predict=-1, num_keep=-1, top_k=0)
    assert sampling(num_predict=2**63).num_predict == 2**31 - 1


def test_a_bare_stop_string_is_accepted_and_empty_ones_are_dropped() -> None:
    assert sampling(stop="###").stop == ("###",)
    assert sampling(stop=["", "x"]).stop == ("x",)


def test_the_word_for_automatic_is_the_same_as_silence() -> None:
    assert load(num_ctx=0, num_gpu=-1, num_thread=0) == LoadOptions()
    assert load(num_ctx=1, num_gpu=0, main_gpu=0, use_mmap=False) == LoadOptions(
        num_ctx=1, num_gpu=0, main_gpu=0, use_mmap=False
    )


def test_wide_seeds_are_folded_and_minus_one_stays_random() -> None:
    assert engine_body(sampling(seed=-1), N_CTX)["seed"] == -1
    assert engine_body(sampling(seed=0), N_CTX)["seed"] == 0
    assert engine_body(sampling(seed=2**40 + 5), N_CTX)["seed"] == 5


def test_repeat_last_n_is_bound_to_the_context() -> None:
    assert engine_body(sampling(repeat_last_n=-1), N_CTX)["repeat_last_n"] == N_CTX
    assert engine_body(sampling(repeat_last_n=2**20), N_CTX)["repeat_last_n"] == N_CTX
    assert engine_body(sampling(repeat_last_n=0), N_CTX)["repeat_last_n"] == 0


ENGINE_RANGES: dict[str, tuple[float, float]] = {
    "n_keep": (-1, 2**31 - 1),
    "seed": (-1, 2**32 - 1),
    "n_predict": (-1, 2**31 - 1),
    "top_k": (0, 2**31 - 1),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "typical_p": (0, 1),
    "repeat_last_n": (0, N_CTX),
    "temperature": (0, 100),
    "repeat_penalty": (0.01, 100),
    "presence_penalty": (-100, 100),
    "frequency_penalty": (-100, 100),
}


def odd_values(name: str) -> list[Any]:
    low, high = getattr(OPTIONS.get(name), "low", 0), getattr(OPTIONS.get(name), "high", 1)
    return [low - 1, high + 1, 0, -1, 2**31, 2**63, 1e308, math.nan, "", "1", True, None, [], {}]


def reference(name: str, value: Any) -> int:
    """The status of §4.2, or 400 where the engine must not see the number (threats T18)."""
    kind = OPTIONS.get(name)
    if kind is None or value is None:
        return 200
    if not isinstance(kind, Integer | Float):
        texts = isinstance(kind, Texts) and (isinstance(value, str) or value == [])
        return 200 if texts or (isinstance(kind, Boolean) and isinstance(value, bool)) else 500
    if isinstance(value, bool | str | list | dict):
        return 500
    below, above = (kind.below, kind.above) if isinstance(kind, Integer) else (None, None)
    clamped = (value < kind.low and below is not None) or (value > kind.high and above is not None)
    return 200 if clamped or kind.low <= value <= kind.high else 400


def refused(name: str, value: object) -> PunaError | None:
    try:
        merge_options({name: value})
    except PunaError as error:
        return error
    return None


@pytest.mark.parametrize("name", [*OPTIONS, *sorted(HISTORIC), "n_discard", "grammar", "samplers"])
def test_T18_every_option_with_every_odd_value_is_served_or_refused_by_name(name: str) -> None:
    for value in odd_values(name):
        if (error := refused(name, value)) is not None:
            assert error.status == reference(name, value), value
            assert f'"{name}"' in str(error)
            continue
        assert reference(name, value) == 200, value
        body = engine_body(sampling(**{name: value}), N_CTX)
        assert body.keys() == ENGINE_RANGES.keys() | {"stop"}
        for key, (low, high) in ENGINE_RANGES.items():
            assert low <= body[key] <= high, (name, value, key)
