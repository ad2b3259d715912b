"""The `options` of a request: one table with every option's type and range (contract ollama-http §4.1, §4.2).

Nothing that is not in the table reaches the engine (threats T18). A value of the wrong type is a 500 with the
reference's text; a number that the engine must not see is a 400 that names the option and its range. Values are only
clamped where the contract clamps.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from puna.engine.types import LoadOptions, SamplingOptions
from puna.errors import BadRequest, PunaError

log = logging.getLogger(__name__)

INT32_MAX = 2**31 - 1
MAX_CONTEXT = 2**24  # tokens; far above every trained length, low enough that sizes computed from it stay sane
MAX_BATCH = 16_384  # the engine's compute buffers grow with it
MAX_THREADS = 512  # the engine aborts above this number
MAX_STOPS = 64
MAX_STOP_LENGTH = 1024


class Kind(Protocol):
    def read(self, name: str, value: object) -> Any:
        """The value as the engine may see it. Raises `PunaError` (500) for a wrong type, `BadRequest` for the rest."""


@dataclass(frozen=True, slots=True)
class Integer:
    """Fractions are cut towards zero. `below` and `above` stand for numbers outside the range where the contract
    clamps; None refuses them."""

    low: int
    high: int
    below: int | None = None
    above: int | None = None

    def read(self, name: str, value: object) -> int:
        number = _number(name, value, "integer")
        if not math.isfinite(number):
            raise _outside(name, self.low, self.high)
        whole = int(number)
        if whole < self.low and self.below is not None:
            return self.below
        if whole > self.high and self.above is not None:
            return self.above
        if not self.low <= whole <= self.high:
            raise _outside(name, self.low, self.high)
        return whole


@dataclass(frozen=True, slots=True)
class Float:
    low: float
    high: float

    def read(self, name: str, value: object) -> float:
        number = _number(name, value, "float32")
        if not self.low <= number <= self.high:  # false for NaN as well
            raise _outside(name, self.low, self.high)
        return float(number)


@dataclass(frozen=True, slots=True)
class Boolean:
    def read(self, name: str, value: object) -> bool:
        if not isinstance(value, bool):
            raise _wrong_type(name, "type boolean")
        return value


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of strings; one bare string is accepted too (an extension)."""

    def read(self, name: str, value: object) -> tuple[str, ...]:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list | tuple):
            raise _wrong_type(name, "type array")
        if not all(isinstance(text, str) for text in texts):
            raise _wrong_type(name, "an array of strings")
        if len(texts) > MAX_STOPS or any(len(text) > MAX_STOP_LENGTH for text in texts):
            raise BadRequest(f'option "{name}" takes at most {MAX_STOPS} strings of {MAX_STOP_LENGTH} characters')
        return tuple(text for text in texts if text)


OPTIONS: Mapping[str, Kind] = {
    "num_keep": Integer(-1, INT32_MAX, below=-1),
    "seed": Integer(-(2**63), 2**63 - 1),
    "num_predict": Integer(-1, INT32_MAX, below=-1, above=INT32_MAX),
    "top_k": Integer(0, INT32_MAX, below=0),
    "top_p": Float(0, 1),
    "min_p": Float(0, 1),
    "typical_p": Float(0, 1),
    "repeat_last_n": Integer(-1, MAX_CONTEXT),
    "temperature": Float(0, 100),
    "repeat_penalty": Float(0.01, 100),
    "presence_penalty": Float(-100, 100),
    "frequency_penalty": Float(-100, 100),
    "stop": Texts(),
    "num_ctx": Integer(0, MAX_CONTEXT),
    "num_batch": Integer(1, MAX_BATCH),
    "num_gpu": Integer(-1, 65_535),
    "main_gpu": Integer(0, 255),
    "use_mmap": Boolean(),
    "num_thread": Integer(0, MAX_THREADS),
    "draft_num_predict": Integer(0, 256),
}

HISTORIC = frozenset({
    "mirostat", "mirostat_tau", "mirostat_eta", "tfs_z", "penalize_newline", "numa", "num_gqa", "low_vram", "f16_kv",
    "logits_all", "vocab_only", "use_mlock", "embedding_only", "rope_frequency_base", "rope_frequency_scale",
})  # fmt: skip
"""Names of older servers: accepted, ignored, not even logged."""

_AUTOMATIC: Mapping[str, int] = {"num_ctx": 0, "num_gpu": -1, "num_thread": 0}
"""Values that mean the same as leaving the option out."""

_LOAD_NAMES = frozenset(field.name for field in fields(LoadOptions)) & OPTIONS.keys()


def merge_options(*sources: Mapping[str, object]) -> tuple[LoadOptions, SamplingOptions]:
    """Options from the weakest source to the strongest: the model's parameters, then the request's.

    `null` values and unknown names are ignored. Raises `PunaError` (500) for a wrong type and `BadRequest` for a
    number outside its range, wherever it came from.
    """
    values: dict[str, Any] = {}
    for source in sources:
        for name, raw in source.items():
            if raw is None or name in HISTORIC:
                continue
            kind = OPTIONS.get(name)
            if kind is None:
                log.info("invalid option provided: %.64r", name)
                continue
            values[name] = kind.read(name, raw)
    given = {name: value for name, value in values.items() if value != _AUTOMATIC.get(name, ...)}
    load = {name: value for name, value in given.items() if name in _LOAD_NAMES}
    sampling = {name: value for name, value in given.items() if name not in _LOAD_NAMES}
    return LoadOptions(**load), SamplingOptions(**sampling)


def engine_body(sampling: SamplingOptions, n_ctx: int) -> dict[str, Any]:
    """The sampling fields of a request to llama-server, under its names. `n_ctx` is the slot's context in tokens."""
    body = {
        "n_keep": sampling.num_keep,
        "seed": _seed(sampling.seed),
        "n_predict": sampling.num_predict,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "typical_p": sampling.typical_p or 1.0,  # 0 and 1 both mean off; the engine takes 0 by its word
        "repeat_last_n": n_ctx if sampling.repeat_last_n < 0 else min(sampling.repeat_last_n, n_ctx),
        "temperature": sampling.temperature,
        "repeat_penalty": sampling.repeat_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": list(sampling.stop),
    }
    if sampling.logit_bias:
        body["logit_bias"] = sampling.logit_bias
    return body


def _seed(seed: int) -> int:
    """The engine's seeds have 32 bits; wider ones are folded, as the reference's runner does. -1 is random."""
    return -1 if seed == -1 else seed & 0xFFFF_FFFF


def _number(name: str, value: object, kind: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(name, f"type {kind}")
    return value


def _wrong_type(name: str, wanted: str) -> PunaError:
    return PunaError(f'option "{name}" must be of {wanted}', status=500)


def _outside(name: str, low: float, high: float) -> BadRequest:
    return BadRequest(f'option "{name}" must be between {low:g} and {high:.10g}')
