"""Rows as JSON and CSV, byte for byte as the reference tool writes them (contract meter §11, C10, C16)."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from puna.errors import PunaError
from puna.meter.result import ExportRow

ExportFormat = Literal["json", "csv"]

_ABOUT = ("model", "size", "context", "quant", "capabilities", "modified_at")
_METRICS = ("ttft", "tps")


def format_json(
    rows: Sequence[ExportRow], num_runs: int, show_ttft: bool, show_tps: bool, verbose: bool = False
) -> str:
    """An array of objects. `error` is there when there is one, `tps_basis` where it is not the usual one."""
    metrics = _chosen(show_ttft, show_tps)
    return json.dumps([_object(row, num_runs, metrics, verbose) for row in rows], indent=2, ensure_ascii=False)


def format_csv(rows: Sequence[ExportRow], num_runs: int, show_ttft: bool, show_tps: bool, verbose: bool = False) -> str:
    """A header and rows. `tps_basis` is a column, before the last one, when any row's is not the usual one."""
    metrics = _chosen(show_ttft, show_tps)
    with_basis = any(_has_other_basis(row, metrics) for row in rows)
    runs = range(1, num_runs + 1) if verbose else ()
    header = [
        *_ABOUT,
        *(name for metric in metrics for name in (*(f"{metric}_run_{number}" for number in runs), metric)),
        *(["tps_basis"] if with_basis else []),
        "error",
    ]
    return csv_text(header, [_cells(row, len(runs), metrics, with_basis) for row in rows])


def export_results(
    rows: Sequence[ExportRow],
    fmt: ExportFormat,
    path: Path | None,
    num_runs: int,
    show_ttft: bool,
    show_tps: bool,
    verbose: bool = False,
) -> None:
    """To a file, which is overwritten, or to standard output. Raises `PunaError`."""
    write = format_json if fmt == "json" else format_csv
    deliver(write(rows, num_runs, show_ttft, show_tps, verbose), path)


def deliver(text: str, path: Path | None) -> None:
    """Standard output gets one newline more. Raises `PunaError`."""
    if path is None:
        sys.stdout.write(f"{text}\n")
        return
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise PunaError(f"could not write {path}: {(error.strerror or 'output failed').lower()}") from None


def csv_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines end with CRLF."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def number_cell(value: float | None) -> str:
    """Two decimals; blank for none."""
    return "" if value is None else f"{value:.2f}"


def _chosen(show_ttft: bool, show_tps: bool) -> list[str]:
    return [name for name, shown in zip(_METRICS, (show_ttft, show_tps), strict=True) if shown]


def _object(row: ExportRow, num_runs: int, metrics: Sequence[str], verbose: bool) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(row, name) for name in _ABOUT}
    for metric in metrics:
        if verbose:
            runs = enumerate(row.runs[:num_runs], start=1)
            found |= {f"{metric}_run_{number}": getattr(run, metric) for number, run in runs}
        found[metric] = getattr(row, metric)
    if _has_other_basis(row, metrics):
        found["tps_basis"] = row.tps_basis
    if row.error:
        found["error"] = row.error
    return found


def _cells(row: ExportRow, num_runs: int, metrics: Sequence[str], with_basis: bool) -> list[str]:
    cells = [getattr(row, name) for name in _ABOUT]
    for metric in metrics:
        values = [getattr(run, metric) for run in row.runs[:num_runs]]
        cells += [number_cell(value) for value in (*values, *[None] * (num_runs - len(values)), getattr(row, metric))]
    if with_basis:
        cells.append(row.tps_basis if _has_other_basis(row, metrics) else "")
    return [*cells, row.error or ""]


def _has_other_basis(row: ExportRow, metrics: Sequence[str]) -> bool:
    return "tps" in metrics and row.tps is not None and row.tps_basis != "server"
