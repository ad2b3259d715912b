"""Progress on stderr: a spinner for the present status, bars for transfers (contract ollama-store §6.7).

On a terminal Rich redraws the lines ten times a second. Elsewhere every new line is printed once, without escapes.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from puna.cli.terminal import cells, printable, width
from puna.units import NS, format_bytes, format_go_duration

if TYPE_CHECKING:
    from rich.console import ConsoleRenderable
    from rich.live import Live

HERTZ = 10
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_NARROWEST_BAR = 5  # columns
_SAMPLE_S = 1.0


@dataclass(slots=True)
class Bar:
    """A transfer: bytes done of bytes to do, and how fast it went over the last ten seconds."""

    label: str
    completed: int
    total: int
    samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=10))  # (seconds, bytes)

    def update(self, completed: int, total: int, now: float) -> None:
        self.completed, self.total = completed, total
        if not self.samples or now - self.samples[-1][0] >= _SAMPLE_S:
            self.samples.append((now, completed))

    @property
    def rate(self) -> float:
        """Bytes per second, 0 while unknown."""
        if len(self.samples) < 2:
            return 0.0
        (start, first), (end, last) = self.samples[0], self.samples[-1]
        return max(0.0, (last - first) / (end - start))

    def line(self, columns: int) -> str:
        done = self.total > 0 and self.completed >= self.total
        share = min(1.0, self.completed / self.total) if self.total else 0.0
        total = f"{format_bytes(self.total):>6}"
        sizes = f"{total}{'':7}" if done else f"{format_bytes(self.completed):>6}/{total}"
        rate = self.rate
        speed, left = "", ""
        if rate and not done:
            speed, left = f"{format_bytes(int(rate))}/s", _eta((self.total - self.completed) / rate)
        before, after = f"{self.label} {share * 100:3.0f}% ▕", f"▏ {sizes}  {speed:>9}  {left:>6}"
        room = max(_NARROWEST_BAR, columns - cells(before) - cells(after))
        return f"{before}{'█' * int(room * share):<{room}}{after}"


def _eta(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    if hours >= 100:
        return "99h+"
    return f"{hours}h{rest // 60}m" if hours else format_go_duration(rest * NS)


class Progress:
    """A context manager that shows statuses and bars in the order in which they came."""

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep  # whether the lines stay on the terminal at the end
        self._lines: list[str | Bar] = []
        self._bars: dict[str, Bar] = {}
        self._spinning = False  # the last line is a status that is still going on
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(
                console=Console(stderr=True),
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
        self._spinning = False
        if self._live:
            self._live.stop()

    def status(self, text: str, *, replace: bool = False) -> None:
        """A new line with a spinner; the one before stops. `replace` writes the present line again instead."""
        text = printable(text)
        if replace and self._lines and isinstance(self._lines[-1], str):
            self._lines[-1] = text
            return
        self._lines.append(text)
        self._spinning = True
        if self._live is None:
            print(text, file=sys.stderr)

    def bar(self, key: str, label: str, completed: int, total: int) -> None:
        """Move the bar of `key`, which appears on its first mention."""
        if key not in self._bars:
            self._bars[key] = Bar(printable(label), completed, total)
            self._lines.append(self._bars[key])
            self._spinning = False
            if self._live is None:
                print(self._bars[key].label, file=sys.stderr)
        self._bars[key].update(completed, total, time.monotonic())

    def _frame(self) -> ConsoleRenderable:
        from rich.text import Text

        columns = width()
        lines = [line if isinstance(line, str) else line.line(columns) for line in self._lines]
        if self._spinning and lines:
            lines[-1] += f" {FRAMES[int(time.monotonic() * HERTZ) % len(FRAMES)]} "
        height = self._live.console.height if self._live else len(lines)
        return Text("\n".join(lines[-height:]), no_wrap=True, overflow="crop")


@contextmanager
def spinner() -> Iterator[None]:
    """Something that moves while a model loads or reads; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with Progress(keep=False) as progress:
        progress.status("")
        yield
