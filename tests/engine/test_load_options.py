"""What a request says about loading is what the engine is started with (contract ollama-http §4.1)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from puna.engine.child import Spec
from puna.engine.options import merge_options
from puna.engine.policy import Limits, make_plan
from puna.engine.runner import Launch, _spec
from puna.engine.types import Memory
from tests.engine.fakes import GIB, weights

ROOMY = Memory(1000 * GIB, 1000 * GIB)


def spec(**options: object) -> Spec:
    load, _ = merge_options(options)
    model = replace(weights(), draft=Path("/models/draft"))
    return _spec(make_plan(model, load, ROOMY, Limits(num_parallel=1)), Path("/run/socket"), Launch({}))


@pytest.mark.parametrize(
    ("option", "value", "parameter"),
    [
        ("num_ctx", 2048, "n_ctx"),
        ("num_batch", 64, "n_batch"),
        ("num_gpu", 7, "n_gpu_layers"),
        ("main_gpu", 1, "main_gpu"),
        ("use_mmap", False, "mmap"),
        ("num_thread", 3, "n_threads"),
        ("draft_num_predict", 9, "draft_tokens"),
    ],
)
def test_an_option_of_loading_reaches_the_engine(option: str, value: Any, parameter: str) -> None:
    told: Any = spec(**{option: value})
    silent: Any = spec()
    assert told[parameter] == value
    assert {key for key in told if told[key] != silent[key]} == {parameter}
