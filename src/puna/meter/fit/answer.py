"""The answer of `puna meter fit`: as a table for people, and as plain values for JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from puna.meter.fit.bandwidth import Bandwidth
from puna.meter.fit.belief import COVERAGE, Interval
from puna.meter.fit.description import Description
from puna.meter.fit.predict import Prediction
from puna.meter.fit.room import Fit
from puna.meter.formats import plain
from puna.units import format_bytes, format_parameter_count

SCHEMA = "puna.meter.fit/1"
BUSY = 0.5
"""Share of the cores that other programs use, from which on the machine is not what it could be."""

_UNKNOWN = "unknown"
_SOURCES = {"file": "a file", "server": "the server's description", "registry": "the registry; nothing was pulled"}


@dataclass(frozen=True, slots=True)
class Answer:
    description: Description
    fit: Fit
    bandwidth: Bandwidth | None  # None where it does not matter: the model is on the GPU, or fits nowhere
    prediction: Prediction | None  # None for a model that does not fit
    busy: float  # share of the cores that others use

    def table(self) -> Table:
        table = Table(title=Text(plain(self.description.name)), show_header=False)
        table.add_column(style="bold")
        table.add_column()
        style = "red" if not self.fit.fits else "green" if self.fit.context >= self.fit.wanted_context else "orange1"
        table.add_row("On this machine", Text(self.fit.verdict, style=style))
        for title, text in self._rows():
            table.add_row(title, Text(plain(text)))
        return table

    def notes(self) -> Iterator[str]:
        """What the figures rest on, a sentence each."""
        yield f"From {_SOURCES[self.description.source]}."
        if self.prediction is None:
            return
        if self.bandwidth is not None:
            rate = f"{format_bytes(int(self.bandwidth.median))}/s in {self.bandwidth.threads} threads"
            learned = self.prediction.measured
            basis = f"and {learned} model(s) measured here" if learned else "alone, as no model was measured here yet"
            yield f"Speed from memory that is read at {rate}, {basis}; 9 of 10 measurements should lie in the range."
        if _UNKNOWN in (_rate(self.prediction.decode), _rate(self.prediction.prefill)):
            yield "What is unknown is learned by measuring other models here with prompts of 128 tokens and more."
        if self.busy > BUSY:
            yield f"Other programs use {self.busy:.0%} of the processor now: expect less than this while they do."

    def json(self) -> dict[str, Any]:
        """Bytes, tokens, and tokens per second; null = unknown."""
        described, prediction = self.description, self.prediction
        return {
            "schema": SCHEMA,
            "model": described.name,
            "source": described.source,
            "download_bytes": described.download,
            "verdict": self.fit.verdict,
            "fits": self.fit.fits,
            "anatomy": asdict(described.anatomy) | {"active_parameters": described.anatomy.active_parameters},
            "memory": {
                "place": self.fit.place,
                "needed_bytes": self.fit.needed,
                "free_bytes": self.fit.free,
                "context": self.fit.context,
                "wanted_context": self.fit.wanted_context,
            },
            "bandwidth": None if self.bandwidth is None else asdict(self.bandwidth),
            "coverage": COVERAGE,
            "predicted": None if prediction is None else asdict(prediction),
            "busy": self.busy,
        }

    def _rows(self) -> Iterator[tuple[str, str]]:
        anatomy, fit = self.description.anatomy, self.fit
        yield "Model", " ".join(filter(None, (
            anatomy.architecture, f"{format_parameter_count(anatomy.parameters)} parameters,", anatomy.quantization,
        )))  # fmt: skip
        if anatomy.experts:
            used, stored = anatomy.experts
            active = format_parameter_count(anatomy.active_parameters)
            yield "Experts", f"{used} of {stored} for a token: {active} active parameters"
        if self.description.download:
            yield "Download", format_bytes(self.description.download)
        yield "Weights", format_bytes(anatomy.weights)
        cache = anatomy.kv_per_token * (fit.context or fit.wanted_context)
        told = f"{format_bytes(cache)} for {fit.context or fit.wanted_context} tokens"
        yield "Context cache", told if anatomy.kv_per_token else _UNKNOWN
        yield "Needs", f"{format_bytes(fit.needed)} of {format_bytes(fit.free)} free {fit.place}"
        if self.prediction is None:
            return
        if anatomy.generates:
            yield "Decode", _rate(self.prediction.decode)
            if self.prediction.decode_deep:
                yield f"… after {fit.context} tokens", _rate(self.prediction.decode_deep)
        yield "Prefill", _rate(self.prediction.prefill)


def _rate(interval: Interval | None) -> str:
    if interval is None:
        return _UNKNOWN
    return f"{_short(interval.middle)} tok/s ({_short(interval.low)} to {_short(interval.high)})"


def _short(value: float) -> str:
    """Two digits, or all of them before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
