"""`PARAMETER` lines: which names exist and what type their values have (contract ollama-store §4.4). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ctypes import c_float
from dataclasses import dataclass
from math import inf, isfinite
from typing import TypeAlias

from puna.errors import BadRequest

ParameterValue: TypeAlias = int | float | bool | list[str]

_INTS = (
    "num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "num_keep",
    "seed", "num_predict", "top_k", "repeat_last_n", "draft_num_predict",
)  # fmt: skip
_FLOATS = (
    "temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty",
)  # fmt: skip
_BOOLS = ("use_mmap",)
_LISTS = ("stop",)
_DEPRECATED = (
    "penalize_newline", "low_vram", "f16_kv", "logits_all", "vocab_only",
    "use_mlock", "mirostat", "mirostat_tau", "mirostat_eta",
)  # fmt: skip
_INT = re.compile(r"[+-]?[0-9]{1,19}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,5})?")
_BOOL_TEXTS = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), False
)
_SINGLE_DIGITS = range(1, 10)  # nine significant digits tell every single-precision number from its neighbours


@dataclass(frozen=True, slots=True)
class Parameters:
    values: dict[str, ParameterValue]
    warnings: tuple[str, ...]  # for the person who wrote the Modelfile


def parse_parameters(lines: Iterable[tuple[str, str]]) -> Parameters:
    """Typed values of (name, value) pairs: the last one wins, lists accumulate, retired names only warn.

    Raises `BadRequest` for an unknown name or a value of the wrong type.
    """
    values: dict[str, ParameterValue] = {}
    lists: dict[str, list[str]] = {}
    retired: dict[str, None] = {}  # an ordered set
    for name, text in lines:
        if name in _DEPRECATED:
            retired[name] = None
        elif name in _LISTS:
            values[name] = lists.setdefault(name, [])
            lists[name].append(text)
        else:
            values[name] = parse_parameter(name, text)
    return Parameters(values, tuple(f"warning: parameter {name} is deprecated" for name in retired))


def parse_parameter(name: str, text: str) -> ParameterValue:
    """One value as its type: `("top_p", "0.7")` → 0.7. Raises `BadRequest`."""
    if name in _INTS:
        return _parse_int(text)
    if name in _FLOATS:
        return _parse_single(text)
    if name in _BOOLS:
        if text not in _BOOL_TEXTS:
            raise BadRequest(f"invalid bool value [{text}]")
        return _BOOL_TEXTS[text]
    if name in _LISTS:
        return [text]
    raise BadRequest(f"unknown parameter '{name}'")


def _parse_int(text: str) -> int:
    if not _INT.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise BadRequest(f"invalid int value [{text}]")
    return int(text)


def _parse_single(text: str) -> int | float:
    """A number rounded to single precision, in its shortest spelling, so that 0.7 stays 0.7; whole ones as integers."""
    single = c_float(float(text)).value if _FLOAT.fullmatch(text) else inf
    if not isfinite(single):
        raise BadRequest(f"invalid float value [{text}]")
    if single.is_integer():
        return int(single)
    spellings = (float(f"{single:.{digits}g}") for digits in _SINGLE_DIGITS)
    return next(value for value in spellings if c_float(value).value == single)
