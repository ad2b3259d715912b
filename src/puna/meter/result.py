"""A model's line in tables and exports: what it is, and two numbers for how fast (contract meter §1, §6).

They are made from the first cell of what was measured, in the reference tool's own terms; the other cells and metrics
are the reports' matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from puna.meter.cell import Cell, ModelResult
from puna.meter.formats import facts
from puna.meter.plan import ListedModel
from puna.meter.records import RequestRecord
from puna.meter.reference import reference_tps, reference_ttft

Stat = Literal["median", "mean"]
TpsBasis = Literal["server", "client", "estimated", "total_duration"]

ALL_FAILED = "All benchmark runs failed"
_AGAIN = ", measure again when this machine is less busy"


@dataclass(frozen=True, slots=True)
class Run:
    """One prompt's answer: seconds, tokens per second; `error` is None exactly when it succeeded."""

    prompt: str
    ttft: float | None = None
    tps: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """`error` is the first one in the order of the prompts, and may stand beside numbers: a partial failure."""

    ttft: float | None = None
    tps: float | None = None
    error: str | None = None
    runs: tuple[Run, ...] = ()
    tps_basis: TpsBasis = "server"  # anything else is marked (C16)


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One row of a table, and one object of an export."""

    model: str
    size: str
    context: str
    quant: str
    capabilities: str
    ttft: float | None = None
    tps: float | None = None
    error: str | None = None
    runs: tuple[Run, ...] = ()
    modified_at: str = ""
    mode: str = ""  # the endpoint's name
    guessed: bool = False  # the size is
    tps_basis: TpsBasis = "server"

    @property
    def measured(self) -> bool:
        """Whether anything was learned."""
        return self.ttft is not None or self.tps is not None or any(run.error is None for run in self.runs)


def benchmark_result(result: ModelResult, stat: Stat = "median") -> BenchmarkResult:
    """TTFT and TPS over the runs that succeeded, each over the values that there are.

    A void cell keeps what the server reckoned itself: the lag was this machine's (contract meter §22).
    """
    if not result.cells:
        return BenchmarkResult(error=result.warm_up.error if result.warm_up else None)
    cell, thinks = result.cells[0], result.model.thinks
    runs = tuple(run_of(record, thinks=thinks, void=cell.void) for record in cell.records)
    return BenchmarkResult(
        ttft=_headline([run.ttft for run in runs], stat),
        tps=_headline([run.tps for run in runs], stat),
        error=_error(cell, runs),
        runs=runs,
        tps_basis=_basis(cell.records),
    )


def export_row(model: ListedModel, result: BenchmarkResult | None = None) -> ExportRow:
    known, result = facts(model), result or BenchmarkResult()
    return ExportRow(
        model=model.name,
        size=known.size,
        context=known.context,
        quant=known.quant,
        capabilities=known.capabilities,
        ttft=result.ttft,
        tps=result.tps,
        error=result.error,
        runs=result.runs,
        modified_at=model.modified_at,
        mode=model.target,
        guessed=known.guessed,
        tps_basis=result.tps_basis,
    )


def run_of(record: RequestRecord, *, thinks: bool, void: str = "") -> Run:
    """`void` is why this machine's clock is not to be believed: the server's own numbers are left then."""
    if record.error is not None:
        return Run(record.prompt, error=record.error)
    ttft, tps = reference_ttft(record, thinks=thinks), reference_tps(record)
    if void:
        ttft = None
        if tps is None or tps.basis != "server":
            return Run(record.prompt, error=f"void: {void}{_AGAIN}")
    return Run(record.prompt, ttft, None if tps is None else tps.value)


def _error(cell: Cell, runs: Sequence[Run]) -> str | None:
    if error := next((run.error for run in runs if run.error is not None), None):
        return error
    if cell.stopped:
        return cell.stopped
    if not runs:
        return ALL_FAILED
    return f"no TTFT: {cell.void}{_AGAIN}" if cell.void else None


def _headline(values: Sequence[float | None], stat: Stat) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return fmean(known) if stat == "mean" else median(known)


def _basis(records: Sequence[RequestRecord]) -> TpsBasis:
    """The weakest one of the runs that count."""
    rates = [rate for record in records if record.ok and (rate := reference_tps(record)) is not None]
    if any(rate.of_total for rate in rates):
        return "total_duration"
    found = {rate.basis for rate in rates}
    return "estimated" if "estimated" in found else "client" if "client" in found else "server"
