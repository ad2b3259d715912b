"""The table while it is measured: redrawn on standard error four times a second (contract meter §7).

Rows appear from the top without gaps: a model that is done early waits for those above it. Drawing must not disturb the
stamps, so that a frame whose rows did not change is not laid out again.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.spinner import Spinner
from rich.status import Status
from rich.text import Text

from puna.meter.table import FittedTable, TableRow, View

HERTZ = 4
SPINNER = "dots"


class Board:
    """A context manager; `place` says what row an index has. Without a `view` it only tells how far things are.

    Where standard error is no terminal there is nothing but the last frame.
    """

    def __init__(self, console: Console, view: View | None, count: int) -> None:
        self._console = console
        self._view = view
        self._count = count
        self._rows: dict[int, TableRow] = {}
        self._live: Live | None = None
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if not self._console.is_terminal:
            return self
        if self._view is None:
            self._status = self._console.status(self._progress(), spinner=SPINNER)
            self._status.start()
        else:
            self._live = Live(
                self._frame(self._view),
                console=self._console,
                refresh_per_second=HERTZ,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        if self._status is not None:
            self._status.stop()

    def place(self, index: int, row: TableRow) -> None:
        self._rows[index] = row
        if self._live is not None and self._view is not None:
            self._live.update(self._frame(self._view))
        if self._status is not None:
            self._status.update(self._progress())

    def finish(self, rows: list[TableRow]) -> None:
        """The last frame: all rows that there are, in their final order and in colours."""
        if self._view is None:
            return
        table = FittedTable(self._view, rows, coloured=True)
        if self._live is None:
            self._console.print(table)
        else:
            self._live.update(table)

    def _frame(self, view: View) -> Group:
        return Group(_Drawn(view, tuple(self._placed())), Spinner(SPINNER, self._progress()))

    def _placed(self) -> Iterator[TableRow]:
        for index in range(self._count):
            if index not in self._rows:
                return
            yield self._rows[index]

    def _progress(self) -> Text:
        placed = len(list(self._placed()))
        if placed == self._count:
            return Text(f"Completed {placed}/{self._count}")
        return Text(f"Benchmarking {placed}/{self._count} model(s)…")


class _Drawn:
    """A table that is laid out once for each width."""

    def __init__(self, view: View, rows: tuple[TableRow, ...]) -> None:
        self._view = view
        self._rows = rows
        self._lines: dict[int, list[list[Segment]]] = {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        if width not in self._lines:
            self._lines[width] = console.render_lines(FittedTable(self._view, self._rows), options, pad=False)
        for line in self._lines[width]:
            yield from line
            yield Segment.line()
