"""The table of models on the terminal: columns, cells, colours (contract meter §7, §10).

Every text of a server is shown as text, never as markup (C6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from puna.meter.formats import NOT_AVAILABLE, format_float_or_na, plain
from puna.meter.result import ExportRow, Run
from puna.meter.trend import Arrow, Thirds

FAILED = "err"
STYLES = {"good": "green", "middle": "orange1", "bad": "red"}
TITLES = {"local": "Ollama Local Models", "cloud": "Ollama Cloud Available Models"}

_ABOUT: tuple[tuple[str, str, JustifyMethod], ...] = (
    ("Size", "green", "right"),
    ("Context", "yellow", "right"),
    ("Quant", "magenta", "left"),
    ("Capabilities", "white", "left"),
)
_RUNS = "Runs"
_LEFT_OUT = ("Capabilities", "Quant", "Context", "Size", _RUNS)  # of a narrow terminal, in this order
_MODEL_WIDTH = 24  # characters of a name that other columns give way to

_STARRED = "* not the server's own decode time: its total duration, or this machine's clock"
_GUESSED = "~ guessed from the name"


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row with what has become of the model since it was measured last."""

    row: ExportRow
    ttft_arrow: Arrow | None = None
    tps_arrow: Arrow | None = None


@dataclass(frozen=True, slots=True)
class View:
    """Which columns a table has."""

    title: str
    show_ttft: bool = False
    show_tps: bool = False
    verbose: bool = False
    num_runs: int = 0

    @property
    def measuring(self) -> bool:
        return self.show_ttft or self.show_tps

    def table(self, rows: Sequence[TableRow], *, coloured: bool = False, without: Sequence[str] = ()) -> Table:
        """`coloured` compares the rows with one another, so it is for a table that has all of them."""
        runs = 0 if _RUNS in without or not self.verbose else self.num_runs
        table = build_table(self.title, self.show_ttft, self.show_tps, bool(runs), runs, without)
        metrics = [_Metric(metric, rows, runs) for metric in self._metrics()]
        for row in rows:
            cells = (cell for metric in metrics for cell in metric.cells(row, coloured=coloured))
            table.add_row(*_about(row.row, without), *cells)
        table.caption = Text("; ".join(self._notes(rows, without)), style="dim") if rows else None
        return table

    def _metrics(self) -> Iterator[_Kind]:
        if self.show_ttft:
            yield TTFT
        if self.show_tps:
            yield TPS

    def _notes(self, rows: Sequence[TableRow], without: Sequence[str]) -> Iterator[str]:
        if self.show_tps and any(_is_starred(row.row) for row in rows):
            yield _STARRED
        if any(row.row.guessed for row in rows):
            yield _GUESSED
        if without:
            yield f"too narrow for {', '.join(without)}"


@dataclass(frozen=True, slots=True)
class FittedTable:
    """A table as wide as where it is drawn allows: what is asked for least goes first, and the caption says so."""

    view: View
    rows: Sequence[TableRow]
    coloured: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = [name for name in _LEFT_OUT if name != _RUNS or (self.view.verbose and self.view.num_runs)]
        for count in range(len(names) + 1):
            table = self.view.table(self.rows, coloured=self.coloured, without=names[:count])
            if _width(table, console, options) <= options.max_width:
                break
        yield table


def _width(table: Table, console: Console, options: ConsoleOptions) -> int:
    """Of the narrowest table in which every word and every number is whole."""
    name, *others = (_column_width(column, console, options) for column in table.columns)
    return 3 * len(table.columns) + 1 + min(name, _MODEL_WIDTH) + sum(others)


def _column_width(column: Column, console: Console, options: ConsoleOptions) -> int:
    sizes = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
    return max(size.maximum if column.no_wrap else size.minimum for size in sizes)


def title(name: str, models: Sequence[str] = ()) -> str:
    """Of the table of an endpoint, with the names that it is filtered by."""
    about = TITLES.get(name, f"{name} Models")
    return f"{about} — {', '.join(models)}" if models else about


def build_table(
    title: str,
    show_ttft: bool = False,
    show_tps: bool = False,
    verbose: bool = False,
    num_runs: int = 0,
    without: Sequence[str] = (),
) -> Table:
    """The empty table."""
    table = Table(title=Text(plain(title)), show_lines=True, caption_justify="left")
    table.add_column("Model", style="cyan", no_wrap=True)
    for header, style, justify in _ABOUT:
        if header not in without:
            table.add_column(header, style=style, justify=justify)
    for kind, shown in ((TTFT, show_ttft), (TPS, show_tps)):
        if shown:
            for number in range(1, num_runs + 1) if verbose else ():
                table.add_column(f"{kind.header}{number}", style=kind.style, justify="right", no_wrap=True)
            table.add_column(kind.header, style=kind.style, justify="right", no_wrap=True)
    return table


@dataclass(frozen=True, slots=True)
class _Kind:
    header: str
    style: str
    lower_is_better: bool
    of_run: Callable[[Run], float | None]
    of_row: Callable[[ExportRow], float | None]
    arrow: Callable[[TableRow], Arrow | None]
    starred: Callable[[ExportRow], bool]


def _is_starred(row: ExportRow) -> bool:
    return row.tps is not None and row.tps_basis != "server"


TTFT = _Kind(
    "TTFT", "blue", True, lambda run: run.ttft, lambda row: row.ttft, lambda row: row.ttft_arrow, lambda _: False
)
TPS = _Kind(
    "TPS", "bright_red", False, lambda run: run.tps, lambda row: row.tps, lambda row: row.tps_arrow, _is_starred
)


class _Metric:
    """The columns of one metric: numbered ones for the runs, and the one that stands for them."""

    def __init__(self, kind: _Kind, rows: Sequence[TableRow], runs: int) -> None:
        self._kind = kind
        self._runs = runs
        shown = [value for row in rows for value in self._values(row.row)]
        self._thirds = Thirds.of([round(value, 2) for value in shown if value is not None])

    def cells(self, row: TableRow, *, coloured: bool) -> Iterator[Text]:
        kind = self._kind
        runs = row.row.runs
        for index in range(self._runs):
            run = runs[index] if index < len(runs) else None
            if run is not None and run.error is not None:
                yield self._text(FAILED, None, coloured=coloured)
            else:
                value = None if run is None else kind.of_run(run)
                yield self._text(format_float_or_na(value), value, coloured=coloured)
        value = kind.of_row(row.row)
        arrow = kind.arrow(row)
        marks = ("*" if kind.starred(row.row) else "") + (f" {arrow}" if arrow else "")
        yield self._text(format_float_or_na(value) + marks, value, coloured=coloured)

    def _values(self, row: ExportRow) -> Iterator[float | None]:
        yield from map(self._kind.of_run, row.runs[: self._runs])
        yield self._kind.of_row(row)

    def _text(self, shown: str, value: float | None, *, coloured: bool) -> Text:
        if not coloured:
            return Text(shown)
        if value is None or self._thirds is None:
            return Text(shown, style=STYLES["bad"] if shown in (FAILED, NOT_AVAILABLE) else "")
        third = self._thirds.place(round(value, 2), lower_is_better=self._kind.lower_is_better)
        return Text(shown, style=STYLES[third])


def _about(row: ExportRow, without: Sequence[str]) -> Iterator[Text]:
    yield Text(plain(row.model))
    texts = (f"~{row.size}" if row.guessed else row.size, row.context, row.quant, row.capabilities)
    for (header, *_), text in zip(_ABOUT, texts, strict=True):
        if header not in without:
            yield Text(plain(text))
