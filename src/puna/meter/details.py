"""The second table: everything that makes two numbers trustworthy, a line for each cell (contract meter §24)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from puna.meter.cell import Cell, ModelResult
from puna.meter.flags import flags
from puna.meter.formats import plain
from puna.meter.metrics import METRICS, gaps, load
from puna.meter.plan import CellPlan
from puna.meter.result import Stat
from puna.meter.slo import Slo, goodput
from puna.meter.statistics import summary
from puna.meter.throughput import embedding_throughput, output_throughput
from puna.meter.useful import SHAPES, answer_time
from puna.units import format_bytes

NOTHING = "—"
STALL_S = 1.0
"""A gap between two chunks that a reader notices."""

_MARKS = {"server": "", "client": "*", "estimated": "≈"}


@dataclass(frozen=True, slots=True)
class _Line:
    result: ModelResult
    cell: Cell
    stat: Stat
    slo: Slo | None


_Column = tuple[str, Callable[[_Line], str]]


def details_table(results: Sequence[ModelResult], *, stat: Stat = "median", slo: Slo | None = None) -> Table | None:
    """None when nothing was measured. Columns that say nothing about any cell are left out."""
    lines = [_Line(result, cell, stat, slo) for result in results for cell in result.cells]
    if not lines:
        return None
    columns = [(header, [show(line) for line in lines]) for header, show in _COLUMNS]
    told = [(header, cells) for header, cells in columns if set(cells) - {NOTHING, ""}]
    table = Table(title="Details", show_lines=False, caption_justify="left")
    for header, _ in told:
        table.add_column(header, justify="left" if header in _LEFT else "right", no_wrap=header == "Model")
    for cells in zip(*(cells for _, cells in told), strict=True):
        table.add_row(*(Text(cell, style="red" if cell.startswith("!") else "") for cell in cells))
    table.caption = Text("* by this machine's clock; ≈ estimated; ± 95 % interval of the mean", style="dim")
    return table


def shape(plan: CellPlan) -> str:
    """What distinguishes a cell, in words."""
    parts = (
        f"@ {plan.depth}" if plan.depth else "",
        f"{plan.concurrency} at once" if plan.concurrency > 1 else "",
        f"batch {plan.batch}" if plan.batch > 1 else "",
        f"{plan.rate:g}/s {plan.arrival}" if plan.rate is not None else "",
    )
    return ", ".join(part for part in parts if part)


def _metric(key: str, digits: int) -> Callable[[_Line], str]:
    def show(line: _Line) -> str:
        found = summary(line.cell, key)
        if found is None or (line.cell.void and found.basis != "server"):
            return NOTHING
        mark = _MARKS[found.basis] if METRICS[key].server else ""  # some have no other clock than this machine's
        value = f"{found.headline(line.stat):.{digits}f}{mark}"
        return value if found.ci95 is None else f"{value} ± {found.ci95[1] - found.mean:.{digits}f}"

    return show


def _cold(line: _Line) -> str:
    record = line.result.cold
    seconds = load(record) if record is not None and record.ok else None
    return NOTHING if seconds is None else f"{seconds:.2f}"


def _memory(line: _Line) -> str:
    loaded = line.result.loaded
    return format_bytes(loaded.spill) if loaded is not None and loaded.size else NOTHING


def _gpu_memory(line: _Line) -> str:
    loaded = line.result.loaded
    return format_bytes(loaded.size_vram) if loaded is not None and loaded.size_vram else NOTHING


def _gpu_share(line: _Line) -> str:
    """A model that is only partly in the GPU's memory is slow: marked."""
    share = line.result.loaded.gpu_share if line.result.loaded is not None else None
    if not share:
        return NOTHING
    return f"{share:.0%}" if share == 1 else f"! {share:.0%}"


def _context(line: _Line) -> str:
    loaded = line.result.loaded
    return str(loaded.context_length) if loaded is not None and loaded.context_length else NOTHING


def _answer(line: _Line) -> str:
    found = None if line.cell.void else answer_time(line.cell, SHAPES["chat"])
    return NOTHING if found is None else f"{found.seconds:.1f}{' est' if found.estimated else ''}"


def _thinking(line: _Line) -> str:
    found = summary(line.cell, "thinking_share")
    return NOTHING if found is None or not found.maximum else f"{found.headline(line.stat):.0%}"


def _stalls(line: _Line) -> str:
    count = sum(gap > STALL_S for record in line.cell.records if record.ok for gap in gaps(record))
    return f"! {count}" if count else NOTHING


def _gap_p99(line: _Line) -> str:
    found = summary(line.cell, "gap")
    p99 = None if found is None or line.cell.void else found.percentiles.get(99)
    return NOTHING if p99 is None else f"{p99 * 1000:.0f}"


def _system_rate(line: _Line) -> str:
    if line.cell.plan.concurrency == 1 and line.cell.plan.rate is None:
        return NOTHING
    rate = output_throughput(line.cell)
    return NOTHING if rate is None else f"{rate:.1f}"


def _texts(line: _Line) -> str:
    found = embedding_throughput(line.cell)
    return NOTHING if found is None else f"{found[0]:.1f}"


def _vector(line: _Line) -> str:
    length = next((record.vector_length for record in line.cell.records if record.vector_length), None)
    return NOTHING if length is None else str(length)


def _good(line: _Line) -> str:
    found = None if line.slo is None else goodput(line.cell, line.slo)
    return NOTHING if found is None else f"{found.per_second:.2f}/s ({found.fraction:.0%})"


def _ok(line: _Line) -> str:
    records = line.cell.records
    retries = sum(record.attempts - 1 for record in records)
    return f"{sum(record.ok for record in records)}/{len(records)}" + (f" (+{retries} retries)" if retries else "")


def _notes(line: _Line) -> str:
    found: Iterable[str] = flags(line.cell, line.result)
    void = "! void" if line.cell.void else ""  # why is said below the table
    return "; ".join(part for part in (void, plain(line.cell.stopped), ", ".join(found)) if part)


_LEFT = ("Model", "Setting", "Notes")
_COLUMNS: tuple[_Column, ...] = (
    ("Model", lambda line: plain(line.result.model.name)),
    ("Setting", lambda line: shape(line.cell.plan)),
    ("Cold load s", _cold),
    ("TTFT s", _metric("ttft", 3)),
    ("First answer s", _metric("first_answer", 3)),
    ("Think %", _thinking),
    ("Prefill tok/s", _metric("prefill", 1)),
    ("Decode tok/s", _metric("decode", 1)),
    (SHAPES["chat"].title, _answer),
    ("p99 gap ms", _gap_p99),
    ("Stalls", _stalls),
    ("All tok/s", _system_rate),
    ("Texts/s", _texts),
    ("Vector", _vector),
    ("Good", _good),
    ("RAM", _memory),
    ("VRAM", _gpu_memory),
    ("GPU %", _gpu_share),
    ("Ctx used", _context),
    ("OK", _ok),
    ("Notes", _notes),
)
