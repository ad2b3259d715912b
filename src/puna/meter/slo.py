"""Goodput: how much was served well enough (contract meter M17, §24 row 13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from puna.errors import BadRequest
from puna.meter.cell import Cell
from puna.meter.metrics import latency, tpot, ttft
from puna.meter.records import RequestRecord
from puna.units import NS

_FORMULAS = {"ttft": ttft, "tpot": tpot, "latency": latency}


@dataclass(frozen=True, slots=True)
class Slo:
    """The most a request may take, in milliseconds, by `ttft`, `tpot` and `latency`."""

    limits_ms: Mapping[str, float]

    def met(self, record: RequestRecord) -> bool:
        """Every limit. A value that cannot be known (one token has no TPOT) breaks none; a failure breaks all."""
        values = ((_FORMULAS[name](record), limit) for name, limit in self.limits_ms.items())
        return record.ok and all(value is None or value * 1000 <= limit for value, limit in values)


PRESETS: Mapping[str, Slo] = {
    "interactive": Slo({"ttft": 450, "tpot": 40}),
    "chat": Slo({"ttft": 200, "tpot": 50}),
    "relaxed": Slo({"ttft": 2000, "tpot": 100}),
}


@dataclass(frozen=True, slots=True)
class Goodput:
    """M17: requests that met every limit, per second of W, and their share of completed + failed."""

    per_second: float
    fraction: float


def parse_slo(text: str) -> Slo:
    """`interactive`, or `ttft:450,tpot:40` in milliseconds. Raises `BadRequest`."""
    if text in PRESETS:
        return PRESETS[text]
    limits = {}
    for part in text.split(","):
        name, _, limit = part.strip().partition(":")
        if name not in _FORMULAS or not _is_positive(limit):
            known, presets = ", ".join(_FORMULAS), ", ".join(PRESETS)
            raise BadRequest(f"'{part.strip()}' is no limit: give NAME:MILLISECONDS with {known}, or one of {presets}")
        limits[name] = float(limit)
    return Slo(limits)


def goodput(cell: Cell, slo: Slo) -> Goodput | None:
    """None for a cell without requests."""
    if not cell.records or cell.wall_ns <= 0:
        return None
    met = sum(map(slo.met, cell.records))
    return Goodput(met / (cell.wall_ns / NS), met / len(cell.records))


def _is_positive(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False
