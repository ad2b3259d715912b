"""`--fail-if "decode<-10%"`: when a comparison counts as a regression (contract meter §24, row 10). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from puna.errors import BadRequest
from puna.meter.metrics import METRICS

_FORM = re.compile(r"\s*([a-z_]{1,40})\s*([<>])\s*([+-]?\d{1,6}(?:\.\d{1,6})?)\s*%\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    """Met when the median's relative change is below (`<`) or above (`>`) the limit."""

    metric: str  # a key of METRICS
    sign: Literal["<", ">"]
    limit: float  # relative: -0.1 = ten per cent less

    def met(self, change: float) -> bool:
        return change < self.limit if self.sign == "<" else change > self.limit

    def __str__(self) -> str:
        return f"{self.metric}{self.sign}{self.limit * 100:+g}%"


def parse_conditions(texts: Sequence[str]) -> tuple[Condition, ...]:
    """Each text may hold several, between commas. Raises `BadRequest`."""
    return tuple(_condition(part) for text in texts for part in text.split(","))


def _condition(text: str) -> Condition:
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadRequest(f"'{text.strip()}' is no condition: write it like decode<-10% or ttft>+20%")
    if found[1] not in METRICS:
        raise BadRequest(f"there is no metric '{found[1]}': use one of {', '.join(METRICS)}")
    return Condition(found[1], "<" if found[2] == "<" else ">", float(found[3]) / 100)
