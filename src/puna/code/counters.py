"""What happened since the start, in plain numbers, for `/metrics` and `--explain`. They stay on this machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from puna.code.types import Outcome


@dataclass(slots=True)
class Counters:
    completions: int = 0  # answered to their end, however that came about
    typed_through: int = 0  # … without the model, from what was shown before
    merged: int = 0  # joined a run of the same question
    superseded: int = 0  # ended by a newer question of the same session
    cancelled: int = 0  # the client went away
    refused: int = 0  # no place in the queue
    failed: int = 0  # every other error
    input_tokens: int = 0
    output_tokens: int = 0
    trims: Counter[str] = field(default_factory=Counter)  # by rule: "Z1" … "Z8"
    running: int = 0  # now
    waiting: int = 0  # now

    def add(self, outcome: Outcome) -> None:
        """What a run that came to its end was worth."""
        self.input_tokens += outcome.input_tokens
        self.output_tokens += outcome.output_tokens
        self.trims.update(outcome.explanation.trims)
