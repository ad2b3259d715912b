"""How fast a model will be: tokens per second with a 90 % interval. Pure.

A token reads every byte that works on it and computes with every weight, whichever takes longer (the roofline model):

    layers x LAYER_S + max(bytes read / bandwidth, Σ weights of a type / WEIGHTS_PER_S of it / threads)

where the cache of the tokens before it counts to both. The rate is one over that, times a factor that is believed
before and learned from this machine's own measurements. On a GPU nobody measures the bandwidth, so that the rate is
known once a model was measured there. So is prefill, which is bound by computing alone: all weights for each token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from puna.meter.fit.anatomy import Anatomy
from puna.meter.fit.belief import Belief, Interval

LAYER_S = 50e-6
"""What a layer costs besides: its threads wait for each other some ten times."""

WEIGHTS_PER_S = {
    "Q4_0": 20e9, "Q5_0": 13e9, "Q8_0": 12e9, "Q4_1": 9e9, "Q5_1": 8e9, "BF16": 9e9, "F16": 9.5e9, "F32": 4e9,
}  # fmt: skip
"""Of one thread, by tensor type, as llama.cpp's kernels did on a server's core of 2025 (llamas of `bench/fit.py`)."""

OTHER_WEIGHTS_PER_S = 10e9
"""Of the types that were not measured."""

ATTENTION_PER_S = 2.5e9
"""Multiplications of one thread with the cache, measured at a depth of 1,500 tokens: each query head reads it anew."""

DECODE = Belief(math.log(0.85), weight=1, freedom=8, spread=0.3)
"""Before anything was measured here: 90 % between two fifths and twice the middle, as kernels differ so much."""

UNTOLD = Belief(0.0, weight=0, freedom=8, spread=0.25)
"""The same spread from model to model, and nothing about the rate itself."""


@dataclass(frozen=True, slots=True)
class Processor:
    """What computes, where it is no GPU."""

    bandwidth: float  # of its memory, bytes per second, all threads together
    threads: int


@dataclass(frozen=True, slots=True)
class Observation:
    """What was measured of one model on this machine, tokens per second. None = not measured."""

    anatomy: Anatomy
    on_gpu: bool  # all of it
    decode: float | None = None
    depth: int = 0  # tokens of context before the answer
    prefill: float | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """Tokens per second; None = unknown. `measured`: models of this machine that the rates are learned from."""

    decode: Interval | None
    decode_deep: Interval | None  # once the context is full
    prefill: Interval | None
    measured: int


def predict(
    anatomy: Anatomy, processor: Processor | None, context: int, seen: Sequence[Observation] = ()
) -> Prediction:
    """`processor`: None = a GPU; `context`: tokens that it will have.

    Of what was `seen`, only models in the same kind of memory count.
    """
    seen = [each for each in seen if each.on_gpu == (processor is None)]
    seconds = partial(_on, processor) if processor else _on_gpu
    factors = [each.decode * seconds(each.anatomy, each.depth) for each in seen if each.decode]
    learned = (DECODE if processor else UNTOLD).after(factors).factor()
    prefilled = UNTOLD.after([each.prefill * each.anatomy.active_parameters for each in seen if each.prefill]).factor()

    def decode(depth: int) -> Interval | None:
        if learned is None or not anatomy.generates or not anatomy.read:
            return None
        return learned.times(1 / seconds(anatomy, depth))

    return Prediction(
        decode=decode(0),
        decode_deep=decode(context) if anatomy.kv_per_token else None,
        prefill=prefilled.times(1 / anatomy.active_parameters) if prefilled and anatomy.active_parameters else None,
        measured=len(factors),
    )


def _on(processor: Processor, anatomy: Anatomy, depth: int) -> float:
    """Seconds of one token."""
    reading = anatomy.read_at(depth) / processor.bandwidth
    matrices = sum(count / WEIGHTS_PER_S.get(kind, OTHER_WEIGHTS_PER_S) for kind, count in anatomy.active_types)
    attention = anatomy.attention_per_token * depth / ATTENTION_PER_S
    computing = (matrices + attention) / processor.threads
    return anatomy.layers * LAYER_S + max(reading, computing)


def _on_gpu(anatomy: Anatomy, depth: int) -> float:
    """As if a byte took a second: the factor that is learned is then the bandwidth itself."""
    return float(anatomy.read_at(depth))
