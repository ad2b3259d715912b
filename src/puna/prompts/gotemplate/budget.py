"""How much one execution of a template may do before it is refused (threats T16)."""

from __future__ import annotations

import time
from collections.abc import Callable

from puna.prompts.gotemplate.fault import Fault

MAX_STEPS = 1_000_000  # nodes, loop turns, and one more per KiB that a function reads
MAX_OUTPUT = 4_000_000  # bytes of UTF-8
MAX_MADE = 2 * MAX_OUTPUT  # bytes of all strings that functions made, kept or not: bounds what variables can hold
MAX_SECONDS = 2.0
MAX_DEPTH = 64  # nested blocks, parentheses and template calls

_STEPS_PER_LOOK = 256  # a clock reading every so many steps


class Budget:
    """Counts down; every method raises `Fault` when its allowance is used up."""

    __slots__ = ("_clock", "_deadline", "_depth", "_look", "_made", "_output", "_steps")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deadline = clock() + MAX_SECONDS
        self._steps = MAX_STEPS
        self._look = MAX_STEPS - _STEPS_PER_LOOK
        self._output = MAX_OUTPUT
        self._made = MAX_MADE
        self._depth = 0

    def step(self) -> None:
        self._steps -= 1
        if self._steps < self._look:
            self._check()

    def read(self, size: int) -> None:
        """A function is about to go through `size` bytes or characters."""
        self._steps -= size >> 10
        if self._steps < self._look:
            self._check()

    def make(self, text: str) -> str:
        """A function made `text`."""
        self._made -= byte_length(text)
        if self._made < 0:
            raise Fault(f"it builds more than {MAX_MADE} bytes of text")
        self.read(len(text))
        return text

    def write(self, text: str) -> None:
        self._output -= byte_length(text)
        if self._output < 0:
            raise Fault(f"output is longer than {MAX_OUTPUT} bytes")

    def enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Fault(f"nested deeper than {MAX_DEPTH} levels")

    def leave(self) -> None:
        self._depth -= 1

    def _check(self) -> None:
        if self._steps < 0:
            raise Fault(f"execution takes more than {MAX_STEPS} steps")
        if self._clock() > self._deadline:
            raise Fault(f"execution takes longer than {MAX_SECONDS:g} seconds")
        self._look = self._steps - _STEPS_PER_LOOK


def byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
