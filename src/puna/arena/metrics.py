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

    __slots__ = ("_last", "began", "first", "first_answer", "pieces")

    def __init__(self, now: int) -> None:
        self.began = self._last = now
        self.first: int | None = None  # piece, text or thinking
        self.first_answer: int | None = None  # piece of text
        self.pieces = 0

    def heard(self, now: int, *, answer: bool = True) -> None:
        """A piece that is not empty: of the answer, or of what was thought before."""
        if self.first is None:
            self.first = now
        if answer and self.first_answer is None:
            self.first_answer = now
        self._last = now
        self.pieces += 1

    def metrics(self, line: Mapping[str, Any], now: int) -> Metrics:
        """`line` is the upstream's last one, with its counters or without."""
        tokens, duration = counter(line, "eval_count"), counter(line, "eval_duration")
        if tokens is None or duration is None:
            heard = self._last - self.first if self.first is not None else 0
            return Metrics(self.pieces if tokens is None else tokens, heard or now - self.began, estimated=True)
        return Metrics(tokens, duration)


def counter(line: Mapping[str, Any], key: str) -> int | None:
    """A whole number that the upstream counted; None for anything else."""
    value = line.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
