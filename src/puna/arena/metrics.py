"""How many tokens, how long, how fast: what the upstream counted, else what arrived (contract arena X1 to X4). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from puna.units import NS


@dataclass(frozen=True, slots=True)
class Metrics:
    """Tokens of one answer, thinking included, and nanoseconds of generation: no load, no reading of the prompt."""

    tokens: int = 0
    duration_ns: int = 0
    estimated: bool = False  # the upstream counted nothing: pieces are not tokens, but near them

    @property
    def duration_s(self) -> float:
        return round(self.duration_ns / NS, 3)

    @property
    def tokens_per_sec(self) -> float:
        """From unrounded values."""
        return round(self.tokens / (self.duration_ns / NS), 2) if self.duration_ns else 0.0


class Stopwatch:
    """The pieces of one answer by a monotonic clock, for upstreams without counters (X3). Times are nanoseconds."""

    __slots__ = ("_began", "_first", "_last", "pieces")

    def __init__(self, now: int) -> None:
        self._began = self._first = self._last = now
        self.pieces = 0

    def heard(self, now: int) -> None:
        """A piece that is not empty, text or thinking."""
        if not self.pieces:
            self._first = now
        self._last = now
        self.pieces += 1

    def metrics(self, line: Mapping[str, Any], now: int) -> Metrics:
        """`line` is the upstream's last one, with its counters or without."""
        tokens, duration = _counter(line, "eval_count"), _counter(line, "eval_duration")
        if tokens is None or duration is None:
            own = self._last - self._first or now - self._began
            return Metrics(self.pieces if tokens is None else tokens, own, estimated=True)
        return Metrics(tokens, duration)


def _counter(line: Mapping[str, Any], key: str) -> int | None:
    value = line.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
