"""Progress on stderr: a spinner for the present status, bars for transfers (contract ollama-store §6.7).

On a terminal Rich redraws the lines ten times a second. Elsewhere they are a log: no escapes, no line twice, a bar as
a line when it begins to move, when it is full, and every ten seconds between.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from puna.cli.bar import Bar
from puna.cli.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleRenderable
    from rich.live import Live

HERTZ = 10
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ECHO = 2  # columns kept free at the right: a `^C` that does not fit pushes the lines apart
REPORT_S = 10.0  # between two lines about the same bar in a log


class Progress:
    """A context manager that shows statuses and bars in the order in which they came."""

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep  # whether the lines stay on the terminal at the end
        self._lines: list[str | Bar] = []
        self._bars: dict[str, Bar] = {}
        self._spinning = False  # the last line is a status that is still going on
        self._ended = False
        self._console: Console | None = None
        self._live: Live | None = None
        self._logged: set[str] = set()
        self._reported: dict[str, float] = {}  # key of a bar: when its last line was logged

    def __enter__(self) -> Self:
        self._console = _terminal()
        if self._console:
            from rich.live import Live

            self._live = Live(
                console=self._console,
                refresh_per_second=HERTZ,
                get_renderable=self._frame,
                redirect_stdout=False,
                redirect_stderr=False,
                transient=not self._keep,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spinning, self._ended = False, True
        if self._live:
            self._live.stop()

    def show(self, line: Mapping[str, Any]) -> None:
        """One progress object of a server (contract ollama-http §3.9, §3.13).

        A layer whose first byte is still to come says only that the pull goes on, which the spinner does already.
        """
        status, total, completed = str(line.get("status", "")), _count(line.get("total")), _count(line.get("completed"))
        if not total:
            self.status(status)
        elif not status.startswith("pulling "):
            self.bar(status, status, completed, total)
        elif completed:
            self.bar(status, f"{status}:", completed, total)

    def status(self, text: str, *, replace: bool = False) -> None:
        """A new line with a spinner; the one before stops. `replace` writes the present line again instead."""
        text = _one_line(text)
        if replace and self._lines and isinstance(self._lines[-1], str):
            self._lines[-1] = text
        elif not self._lines or self._lines[-1] != text:
            self._lines.append(text)
            self._spinning = True
            self._log(text)

    def bar(self, key: str, label: str, completed: int, total: int) -> None:
        """Move the bar of `key`, which appears on its first mention."""
        if key not in self._bars:
            self._bars[key] = Bar(_one_line(label))
            self._lines.append(self._bars[key])
            self._spinning = False
        bar, now = self._bars[key], time.monotonic()
        bar.update(completed, total, now)
        due = bar.done or now - self._reported.get(key, -math.inf) >= REPORT_S
        if self._console is None and due and bar.completed:
            self._reported[key] = now
            self._log(bar.report())

    def _log(self, text: str) -> None:
        if self._console is None and text not in self._logged:
            self._logged.add(text)
            print(text, file=sys.stderr)

    def _frame(self) -> ConsoleRenderable:
        from rich.text import Text

        if self._console is None:
            return Text()
        columns, height = self._console.size
        everything = self._ended and self._keep  # at the end, what left the screen at its top can be scrolled back to
        seen = self._lines if everything else self._lines[-max(1, height - 1) :]
        lines = [line if isinstance(line, str) else line.line(columns - _ECHO) for line in seen]
        if self._spinning and lines:
            lines[-1] += f" {FRAMES[int(time.monotonic() * HERTZ) % len(FRAMES)]} "
        return Text("\n".join(lines), no_wrap=True, overflow="crop")


@contextmanager
def spinner(text: str = "") -> Iterator[None]:
    """Something that moves while a person waits; nothing where stderr is no terminal."""
    if _terminal() is None:
        yield
        return
    with Progress(keep=False) as progress:
        progress.status(text)
        yield


def _terminal() -> Console | None:
    """The terminal behind stderr; None for a file, a pipe, and a terminal that cannot move its cursor."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console

    console = Console(stderr=True)
    return console if console.is_interactive else None


def _one_line(text: str) -> str:
    return " ".join(printable(text).splitlines())


def _count(value: object) -> int:
    return max(0, value) if isinstance(value, int) else 0
