"""Earlier results as a table, as JSON and as CSV (contract meter §12, C3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from puna.meter.export import csv_text, number_cell
from puna.meter.formats import format_float_or_na, plain
from puna.meter.history import LIMIT, History, HistoryRow
from puna.meter.matching import match_model

NONE_FOUND = "No history found."
LATEST = "Benchmark History (latest per model)"
DETAILED = "Benchmark History (detailed)"

_Cell = Callable[[HistoryRow], str]
_KEYS = ("model", "timestamp", "size", "context", "quantization", "capabilities", "mode", "ttft", "tps", "error")


def found_rows(
    history: History, models: Sequence[str] = (), *, family: bool = False, verbose: bool = False, limit: int = LIMIT
) -> list[HistoryRow]:
    """The newest row of each model, or with `verbose` its newest `limit` rows. Raises `DatabaseFailed`."""
    names = history.names()
    wanted = [name for name in names if any(match_model(name, model, family=family) for model in models)]
    if models and not wanted:
        return []
    return history.newest(wanted, per_model=max(1, limit) if verbose else 1)


def history_table(rows: Sequence[HistoryRow], *, verbose: bool = False) -> Table:
    columns = _DETAILED if verbose else _LATEST
    table = Table(title=DETAILED if verbose else LATEST, show_lines=True)
    for header, _ in columns:
        table.add_column(header, justify="right" if header in ("Runs", "Ctx", "TTFT", "TPS") else "left")
    for row in rows:
        table.add_row(*(Text(plain(show(row))) for _, show in columns))
    return table


def history_json(rows: Sequence[HistoryRow], *, verbose: bool = False) -> str:
    return json.dumps([_object(row, verbose=verbose) for row in rows], indent=2, ensure_ascii=False)


def history_csv(rows: Sequence[HistoryRow], *, verbose: bool = False) -> str:
    header = [*_KEYS, *(["prompts"] if verbose else [])]
    return csv_text(header, [[_csv_cell(value) for value in _object(row, verbose=verbose).values()] for row in rows])


def _object(row: HistoryRow, *, verbose: bool) -> dict[str, Any]:
    values = (
        row.model_name, row.timestamp, row.model_size, row.context_length, row.quantization, row.capabilities,
        row.mode, row.ttft, row.tps, row.error,
    )  # fmt: skip
    found: dict[str, Any] = dict(zip(_KEYS, values, strict=True))
    return found | {"prompts": row.prompt_list} if verbose else found


def _csv_cell(value: object) -> str:
    """Nulls and a context of zero are blank."""
    if isinstance(value, float):
        return number_cell(value)
    if isinstance(value, list):
        return json.dumps(value)
    return str(value) if value else ""


def _when(row: HistoryRow) -> str:
    return row.timestamp[:19].replace("T", " ")


def _runs(row: HistoryRow) -> str:
    prompts = row.prompt_list
    return "?" if prompts is None else str(len(prompts))


_MODEL: tuple[str, _Cell] = ("Model", lambda row: row.model_name)
_ENDING: tuple[tuple[str, _Cell], ...] = (
    ("TTFT", lambda row: format_float_or_na(row.ttft)),
    ("TPS", lambda row: format_float_or_na(row.tps)),
    ("Error", lambda row: row.error or ""),
)
_LATEST: tuple[tuple[str, _Cell], ...] = (_MODEL, ("Last Run", _when), ("Runs", _runs), *_ENDING)
_DETAILED: tuple[tuple[str, _Cell], ...] = (
    _MODEL,
    ("Timestamp", _when),
    ("Size", lambda row: row.model_size or ""),
    ("Ctx", lambda row: str(row.context_length or "")),
    ("Quant", lambda row: row.quantization or ""),
    ("Mode", lambda row: row.mode or ""),
    *_ENDING,
)
