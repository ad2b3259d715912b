"""One felt number: how long until a useful answer stands there (contract meter §24, row 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from puna.meter.cell import Cell
from puna.meter.records import RequestRecord
from puna.meter.statistics import summary

NEAR = 0.1
"""A prompt whose length differs by less counts as the shape's own."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of work: tokens in, tokens out."""

    n_in: int
    n_out: int

    @property
    def title(self) -> str:
        return f"{_short(self.n_in)} in, {_short(self.n_out)} out"


SHAPES: Mapping[str, Shape] = {"chat": Shape(1000, 300), "code": Shape(4000, 200), "summarise": Shape(8000, 400)}


@dataclass(frozen=True, slots=True)
class AnswerTime:
    seconds: float
    estimated: bool  # the prompt was not as long as the shape's: its time is reckoned from the prefill rate


def answer_time(cell: Cell, shape: Shape) -> AnswerTime | None:
    """M3 + n_out / decode, medians; with another prompt length M3 grows by (difference / prefill)."""
    first, decode = summary(cell, "first_answer"), summary(cell, "decode")
    if first is None or decode is None or not decode.median:
        return None
    answer_s = shape.n_out / decode.median
    n_in = _prompt_tokens(cell.records)
    if n_in is not None and abs(n_in - shape.n_in) <= NEAR * shape.n_in:
        return AnswerTime(first.median + answer_s, estimated=False)
    prefill = summary(cell, "prefill")
    if n_in is None or prefill is None or not prefill.median:
        return None
    return AnswerTime(max(0.0, first.median + (shape.n_in - n_in) / prefill.median) + answer_s, estimated=True)


def _prompt_tokens(records: tuple[RequestRecord, ...]) -> float | None:
    counts = [record.server.prompt_tokens for record in records if record.ok and record.server.prompt_tokens]
    return median(counts) if counts else None


def _short(count: int) -> str:
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)
