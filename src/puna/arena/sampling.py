"""The six settings of an instance and their ranges; how numbers of a request are checked (arena §1.5). Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from puna.arena.failures import Refused

MOST_EXACT = 2**53 - 1  # the largest seed that every JSON reader keeps


@dataclass(frozen=True, slots=True)
class Sampling:
    """In the order of the document, with its defaults."""

    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 40
    repeat_penalty: float = 1.1
    num_predict: int = -1  # no limit
    seed: int = 0  # random

    def options(self) -> dict[str, float]:
        """What the upstream is told: all of them, zeros included; the seed only where one is set."""
        told = self.wire()
        if not self.seed:
            del told["seed"]
        return told

    def wire(self) -> dict[str, float]:
        """All six by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Range:
    """Both ends are valid."""

    low: float
    high: float
    whole: bool = False


RANGES: Mapping[str, Range] = {
    "temperature": Range(0.01, 2.0),
    "top_p": Range(0, 1),
    "top_k": Range(0, 100, whole=True),
    "repeat_penalty": Range(1.0, 2.0),
    "num_predict": Range(-1, 4096, whole=True),
    "seed": Range(0, MOST_EXACT, whole=True),
}


def read_sampling(item: Mapping[str, Any]) -> Sampling:
    """The settings that `item` has, and the defaults of the others. Raises `Refused`."""
    given: dict[str, Any] = {
        name: checked_number(name, item[name], allowed)
        for name, allowed in RANGES.items()
        if item.get(name) is not None
    }
    return Sampling(**given)


def checked_number(name: str, value: object, allowed: Range) -> float:
    """A number within its range; never clamped, which would falsify a comparison (B6). Raises `Refused`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(f"Invalid {name}: must be a number")
    if allowed.whole and value != int(value):
        raise Refused(f"Invalid {name}: must be an integer")
    if not allowed.low <= value <= allowed.high:
        if name == "seed" and value < 0:
            raise Refused("Invalid seed: must be 0 or greater")
        raise Refused(f"Invalid {name}: must be between {allowed.low} and {allowed.high}")
    return int(value) if allowed.whole else value + 0.0  # which makes nothing of the sign of a zero
