"""Counts and times of one answer: the upstream's own where it came to its end, ours where it was hung up on."""

from __future__ import annotations

import time
from dataclasses import replace

from puna.code.types import Explanation, Outcome, Reason
from puna.code.upstream import Final, Line


class Tally:
    """A line of the upstream is one token, unless its last line says otherwise."""

    def __init__(self, explanation: Explanation, *, truncated: bool) -> None:
        self.input_tokens = 0  # 0 = nobody said
        self._explanation = explanation
        self._truncated = truncated
        self._lines = 0
        self._final: Final | None = None
        self._began = self._first = time.monotonic_ns()

    def begin(self) -> None:
        """The upstream is asked now."""
        self._began = self._first = time.monotonic_ns()

    def add(self, line: Line) -> None:
        if line.final is not None:
            self._final = line.final
            self.input_tokens = line.final.input_tokens
        if line.final is None or line.text:
            self._first = time.monotonic_ns() if not self._lines else self._first
            self._lines += 1

    @property
    def output_ms(self) -> float:
        """Time since the first token."""
        return (time.monotonic_ns() - self._first) / 1e6

    def outcome(
        self, reason: Reason | None = None, *, trims: tuple[str, ...] = (), by_client: bool = False, warm: bool = False
    ) -> Outcome:
        """`reason` None: what the upstream said, or "stop" when it was hung up on."""
        final = self._final
        length = reason is None and final is not None and final.reason == "length" and not warm
        measured = Final("", 0, self._lines, 0, self._first - self._began, time.monotonic_ns() - self._first)
        counts = final or measured
        return Outcome(
            reason or ("length" if length else "stop"),
            "word" if by_client else "limit" if length else "eos",
            input_tokens=self.input_tokens,
            cached_tokens=counts.cached_tokens,
            output_tokens=0 if warm else counts.output_tokens,
            load_ns=counts.load_ns,
            prompt_ns=counts.prompt_ns,
            output_ns=counts.output_ns,
            truncated=self._truncated,
            explanation=replace(self._explanation, trims=trims),
        )
