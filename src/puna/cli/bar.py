"""A transfer as one line: bytes done of bytes to do, how fast, how long still (contract ollama-store §6.7). Pure.

What is shown never runs backwards: a part that is fetched once more takes nothing away, and the first total stays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from puna.cli.terminal import cells
from puna.units import NS, format_bytes, format_go_duration

_NARROWEST = 4  # columns of the bar itself; fewer say nothing
_SAMPLE_S = 1.0
_SAMPLES = 10
_MEASURABLE_S = 0.5  # an average over less than this is noise


@dataclass(slots=True)
class Bar:
    """Sizes are bytes, times are seconds of one clock. A bar that is full stays as it is."""

    label: str
    total: int = 0
    completed: int = 0
    first: tuple[float, int] | None = None  # when it was first heard of, and what was there already
    latest: float = 0.0
    samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_SAMPLES))

    def update(self, completed: int, total: int, now: float) -> None:
        if self.done:
            return
        self.total = self.total or total
        self.completed = min(self.total, max(self.completed, completed))
        self.latest = now
        if self.first is None:
            self.first = (now, self.completed)
        if not self.samples or now - self.samples[-1][0] >= _SAMPLE_S:
            self.samples.append((now, self.completed))

    @property
    def done(self) -> bool:
        return 0 < self.total <= self.completed

    @property
    def percent(self) -> int:
        """Rounded down: only what is complete is 100 %."""
        return self.completed * 100 // self.total if self.total else 0

    @property
    def rate(self) -> float:
        """Bytes per second over the last ten seconds, 0 while unknown."""
        if len(self.samples) < 2:
            return 0.0
        (start, before), (end, after) = self.samples[0], self.samples[-1]
        return (after - before) / (end - start)

    @property
    def average(self) -> float:
        """Bytes per second since it was first heard of, 0 when that is too short a time to tell."""
        start, before = self.first or (self.latest, 0)
        seconds = self.latest - start
        return (self.completed - before) / seconds if seconds >= _MEASURABLE_S else 0.0

    def line(self, columns: int) -> str:
        """The bar, `columns` wide. A narrow one goes without the sizes, then without the label's verb."""
        for before, after in self._layouts():
            room = columns - cells(before) - cells(after)
            if room >= _NARROWEST:
                break
        room = max(0, room)
        filled = room * self.completed // self.total if self.total else 0
        return f"{before}{'█' * filled:<{room}}{after}"

    def _layouts(self) -> Iterator[tuple[str, str]]:
        """What stands before and behind the bar, the widest first."""
        percent, total = f"{self.percent:3}% ▕", format_bytes(self.total)
        sizes = f"{total:>6}{'':7}" if self.done else f"{format_bytes(self.completed):>6}/{total:>6}"
        speed, left = ("", "") if self.done else (self._speed(self.rate), self._left())
        yield f"{self.label} {percent}", f"▏ {sizes}  {speed:>9}  {left:>6}"
        speed = total if self.done else speed
        yield f"{self.label} {percent}", f"▏ {speed:>9}  {left:>6}"
        name = self.label.split()[-1:] or [""]  # the word that says which transfer this is
        yield f"{name[0].rstrip(':')} {percent}", f"▏{speed:>8} {left:>5}"

    def report(self) -> str:
        """The same for a log: `pulling 0123456789ab: 45% of 1.2 GB, 12 MB/s, 1m5s left`."""
        speed = self._speed(self.average if self.done else self.rate)
        left = self._left()
        parts = [f"{self.label} {self.percent}% of {format_bytes(self.total)}", speed, f"{left} left" if left else ""]
        return ", ".join(filter(None, parts))

    @staticmethod
    def _speed(rate: float) -> str:
        return f"{format_bytes(int(rate))}/s" if rate >= 1 else ""

    def _left(self) -> str:
        """Time until the end at the present rate; empty while nobody knows."""
        if self.done or self.rate < 1:
            return ""
        hours, rest = divmod(int((self.total - self.completed) / self.rate), 3600)
        if hours >= 100:
            return "99h+"
        return f"{hours}h{rest // 60}m" if hours else format_go_duration(rest * NS)
