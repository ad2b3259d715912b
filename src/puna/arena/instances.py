"""Instances: one model with six settings and an id (contract arena §1.5, §1.6). Pure.

A request in the recommended format names instances; one in the legacy format names models, which then run with their
own defaults and have their names for ids.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

from puna.arena.failures import Refused

LONGEST = 200  # characters of a model's name and of an id
MOST_EXACT = 2**53 - 1  # the largest seed that every JSON reader keeps

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:/@-]{0,199}", re.ASCII)
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sampling:
    """The six settings in the order of the document, with its defaults."""

    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 40
    repeat_penalty: float = 1.1
    num_predict: int = -1  # no limit
    seed: int = 0  # random

    def options(self) -> dict[str, float]:
        """What the upstream is told: all of them, zeros included; the seed only where one is set."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        if not self.seed:
            del told["seed"]
        return told


@dataclass(frozen=True, slots=True)
class Instance:
    """`sampling` is None in the legacy format: the model's own defaults apply (B8)."""

    id: str
    model: str
    sampling: Sampling | None = None
    endpoint: str = ""  # the name of a configured one; empty = the default


@dataclass(frozen=True, slots=True)
class _Range:
    low: float
    high: float
    whole: bool = False


_RANGES: Mapping[str, _Range] = {
    "temperature": _Range(0.01, 2.0),
    "top_p": _Range(0, 1),
    "top_k": _Range(0, 100, whole=True),
    "repeat_penalty": _Range(1.0, 2.0),
    "num_predict": _Range(-1, 4096, whole=True),
    "seed": _Range(0, MOST_EXACT, whole=True),
}


def read_instances(items: Sequence[Any]) -> tuple[Instance, ...]:
    """The instances of a request in the recommended format. Raises `Refused` for the first thing that is wrong (§1.3).

    How many there may be, and that ids differ, is checked later: by the document those are the last checks.
    """
    made: dict[str, str] = {}  # generated id → its model
    return tuple(_read(index, item, made) for index, item in enumerate(items))


def named_models(names: Sequence[Any]) -> tuple[Instance, ...]:
    """The instances of a request in the legacy format (B10). Raises `Refused`."""
    return tuple(Instance(name, name) for name in map(checked_name, names))


def check_count_and_ids(instances: Sequence[Instance], most: int) -> None:
    """Raises `Refused` for too many instances, and for two with one id."""
    if len(instances) > most:
        raise Refused(f"Too many model instances: maximum {most}")
    seen: set[str] = set()
    for instance in instances:
        if instance.id in seen:
            raise Refused(f"Duplicate model instance detected: {instance.id}")
        seen.add(instance.id)


def checked_name(name: object) -> str:
    """A model's name that may go upstream (G7). Raises `Refused`."""
    if not isinstance(name, str) or not name.strip():
        raise Refused("Model name is required")
    if not _NAME.fullmatch(name):
        raise Refused("Invalid model name")
    return name


def instance_id(model: str, sampling: Sampling) -> str:
    """The generated id: `llama3_2_3b__0.7_0.9_40_1.1_-1_0` (I1, I2)."""
    settings = (_plain(getattr(sampling, field.name)) for field in fields(sampling))
    return f"{_NOT_IN_ID.sub('_', model)}__{'_'.join(settings)}"


def _read(index: int, item: object, made: dict[str, str]) -> Instance:
    if not isinstance(item, dict):
        raise Refused(f"Invalid model instance at index {index}")
    model = checked_name(item.get("model"))
    given = item.get("id")
    if given is not None and not _is_id(given):
        raise Refused(f"Invalid instance id at index {index}")
    settings: dict[str, Any] = {name: _setting(name, item[name]) for name in _RANGES if item.get(name) is not None}
    sampling = Sampling(**settings)
    endpoint = item.get("endpoint")
    return Instance(
        id=_generated(model, sampling, made) if given is None else given,
        model=model,
        sampling=sampling,
        endpoint=endpoint if isinstance(endpoint, str) else "",
    )


def _is_id(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST
        and not any(unicodedata.category(character) == "Cc" for character in value)
    )


def _generated(model: str, sampling: Sampling, made: dict[str, str]) -> str:
    """Two models whose names differ only in punctuation are told apart by a hash of the later one's name (I3)."""
    made_id = instance_id(model, sampling)
    if made.setdefault(made_id, model) != model:
        made_id += f"__{sha256(model.encode()).hexdigest()[:8]}"
    return made_id


def _setting(name: str, value: object) -> float:
    """A number within its range; never clamped, which would falsify a comparison (B6). Raises `Refused`."""
    allowed = _RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(f"Invalid {name}: must be a number")
    if allowed.whole and value != int(value):
        raise Refused(f"Invalid {name}: must be an integer")
    if not allowed.low <= value <= allowed.high:
        if name == "seed" and value < 0:
            raise Refused("Invalid seed: must be 0 or greater")
        raise Refused(f"Invalid {name}: must be between {allowed.low} and {allowed.high}")
    return int(value) if allowed.whole else value + 0.0  # which makes nothing of the sign of a zero


def _plain(value: float) -> str:
    """At most six decimals, no trailing zeros, no exponent."""
    return str(value) if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")
