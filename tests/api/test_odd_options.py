"""Odd numbers from a client (threats T18): the reference's status or a 400 that names the option, and nothing breaks."""

from __future__ import annotations

from typing import Any

import pytest

from puna.engine.options import HISTORIC, OPTIONS
from puna.engine.types import SamplingOptions
from tests.engine.test_options import odd_values, reference
from tests.servers import Server

SAMPLING = sorted(OPTIONS.keys() & SamplingOptions.__slots__)
LOADING = sorted(OPTIONS.keys() - SamplingOptions.__slots__)
SMUGGLED = ("n_discard", "grammar", "samplers")


def arrived(value: Any) -> Any:
    """`value` as the server's JSON reader hands it on: wide integers become floats. None of NaN arrives."""
    return float(value) if type(value) is int and not -(2**63) <= value < 2**64 else value


def is_json(value: object) -> bool:
    return value == value


def is_endless(name: str, value: Any) -> bool:
    """Served, and at length: without a limit this model never ends."""
    return name == "num_predict" and reference(name, value) == 200 and value != 0


def ask(server: Server, name: str, value: object) -> Any:
    options = {"num_predict": 2, name: value}
    return server.post("/api/generate", {"model": "M", "prompt": "hi", "stream": False, "options": options})


@pytest.mark.parametrize("name", [*SAMPLING, *SMUGGLED, min(HISTORIC)])
def test_T18_odd_sampling_options_are_served_or_refused_as_the_reference_does(server: Server, name: str) -> None:
    assert ask(server, "top_k", 1).status == 200  # loaded, and with the options of this test
    lives = server.lives("M")
    for value in odd_values(name):
        if is_json(value) and is_endless(name, arrived(value)):
            continue
        answer = ask(server, name, value)
        assert answer.status == (reference(name, arrived(value)) if is_json(value) else 400), (value, answer.body)
        if answer.status != 200 and is_json(value):
            assert f'option "{name}"' in answer.json["error"]
    assert server.lives("M") == lives


@pytest.mark.parametrize("name", LOADING)
def test_T18_odd_loading_options_are_refused_before_anything_is_loaded(server: Server, name: str) -> None:
    for value in odd_values(name):
        if is_json(value) and reference(name, arrived(value)) != 200:
            answer = ask(server, name, value)
            assert (answer.status, f'option "{name}"' in answer.json["error"]) == (
                reference(name, arrived(value)),
                True,
            )


@pytest.mark.parametrize("tokens", [[-1], [10**6], [1, 2**31], [2**63 - 1]])
def test_T18_a_context_of_tokens_that_the_model_does_not_have_is_refused(server: Server, tokens: list[int]) -> None:
    answer = server.post("/api/generate", {"model": "M", "prompt": "hi", "stream": False, "context": tokens})
    assert answer.status == 400
    assert answer.json["error"].startswith(f"context: {tokens[-1]} is none of the model's tokens 0 to ")
