"""Progress lines and bars (contract ollama-store §6.7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.cli import progress as module
from puna.cli.bar import Bar
from puna.cli.progress import Progress
from puna.cli.terminal import cells

LAYER = "pulling 0123456789ab"


def bar(label: str, *updates: tuple[int, int, float]) -> Bar:
    made = Bar(label)
    for completed, total, now in updates:
        made.update(completed, total, now)
    return made


def test_a_bar_fills_the_width() -> None:
    shown = bar(f"{LAYER}:", (250_000_000, 10**9, 0.0))
    assert shown.line(80) == f"pulling 0123456789ab:  25% ▕{'█' * 4}{' ' * 14}▏ 250 MB/  1 GB{' ' * 19}"
    assert cells(shown.line(80)) == 80
    shown.update(350_000_000, 10**9, 1.0)
    assert shown.line(80).endswith("▏ 350 MB/  1 GB   100 MB/s      6s")


def test_a_narrow_terminal_keeps_the_bar_the_speed_and_the_time_left() -> None:
    shown = bar(f"{LAYER}:", (250_000_000, 10**9, 0.0), (350_000_000, 10**9, 1.0))
    assert shown.line(60) == f"pulling 0123456789ab:  35% ▕{'█' * 4}{' ' * 9}▏  100 MB/s      6s"
    assert shown.line(40) == "0123456789ab  35% ▕██    ▏100 MB/s    6s"
    shown.update(10**9, 10**9, 2.0)
    assert shown.line(40) == "0123456789ab 100% ▕██████▏    1 GB      "


@given(
    columns=st.integers(38, 300),
    total=st.integers(1, 10**13),
    updates=st.lists(st.integers(-(10**13), 2 * 10**13), min_size=1, max_size=12),
)
def test_a_bar_is_as_wide_as_it_is_told_and_never_runs_backwards(columns: int, total: int, updates: list[int]) -> None:
    shown, before = Bar(f"{LAYER}:"), 0
    for second, completed in enumerate(updates):
        shown.update(completed, total, float(second))
        assert cells(shown.line(columns)) == columns
        assert before <= shown.percent <= 100
        assert shown.rate >= 0
        before = shown.percent


def test_a_part_that_is_fetched_again_takes_nothing_away() -> None:
    shown = bar("x", (500, 1000, 0.0), (400, 1000, 1.0), (450, 900, 2.0))
    assert (shown.completed, shown.total, shown.percent) == (500, 1000, 50)
    shown.update(1000, 1000, 3.0)
    shown.update(10, 5000, 4.0)
    assert (shown.completed, shown.total) == (1000, 1000)


def test_only_what_is_complete_is_at_100_percent() -> None:
    assert bar("x", (9999, 10000, 0.0)).line(60).startswith("x  99% ▕")


def test_a_finished_bar_shows_the_total_only() -> None:
    shown = bar("x", (5_000_000, 5_000_000, 0.0))
    assert shown.line(60).startswith("x 100% ▕█")
    assert shown.line(60).rstrip().endswith("▏   5 MB")


@pytest.mark.parametrize(("rate", "eta"), [(10**9, "1s"), (10**6, "16m40s"), (10**5, "2h46m"), (1000, "99h+")])
def test_the_time_left_is_short(rate: int, eta: str) -> None:
    assert bar("x", (0, 10**9 + rate, 0.0), (rate, 10**9 + rate, 1.0)).line(80).split()[-1] == eta


def test_speed_is_that_of_the_last_seconds() -> None:
    shown = Bar("x")
    for second in range(20):
        shown.update(second * 100 if second < 10 else 1000 + second * 10, 10_000, float(second))
    assert shown.rate == 10.0


def test_what_was_there_before_does_not_count_as_speed() -> None:
    shown = bar("x", (900_000_000, 10**9, 5.0), (10**9, 10**9, 7.0))
    assert shown.report() == "x 100% of 1 GB, 50 MB/s"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_without_a_terminal_every_line_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.status("one")
        progress.status("one 50%", replace=True)
        progress.bar("a", "pushing a", 1, 10)
        progress.bar("a", "pushing a", 2, 10)
        progress.bar("a", "pushing a", 10, 10)
        progress.bar("a", "pushing a", 10, 10)
        progress.status("one")
        progress.status("\x1b[2Jdone\nin one\u2028line")
    assert capsys.readouterr().err == "one\npushing a 10% of 10 B\npushing a 100% of 10 B\n[2Jdone in one line\n"


def test_without_a_terminal_a_long_pull_is_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    total = 1_250_000_000
    with Progress() as progress:
        progress.show({"status": "pulling manifest"})
        for second in range(26):
            progress.show({"status": LAYER, "digest": "d", "total": total, "completed": second * 50_000_000})
            clock.now += 1
        progress.show({"status": "success"})
    assert capsys.readouterr().err.splitlines() == [
        "pulling manifest",
        "pulling 0123456789ab: 4% of 1.2 GB",
        "pulling 0123456789ab: 44% of 1.2 GB, 50 MB/s, 14s left",
        "pulling 0123456789ab: 84% of 1.2 GB, 50 MB/s, 4s left",
        "pulling 0123456789ab: 100% of 1.2 GB, 50 MB/s",
        "success",
    ]


def test_a_pull_that_stalls_fills_no_log(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    with Progress() as progress:
        for _ in range(100):
            progress.show({"status": LAYER, "total": 1000, "completed": 500})
            clock.now += 5
    assert capsys.readouterr().err == "pulling 0123456789ab: 50% of 1 KB\n"


def test_without_a_terminal_a_small_layer_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.show({"status": "verifying 0123456789ab", "digest": "d", "total": 1000})
        progress.show({"status": "verifying 0123456789ab", "digest": "d", "total": 1000, "completed": 1000})
        progress.show({"status": LAYER, "digest": "d", "total": 1000})
        progress.show({"status": "nonsense", "total": "1000", "completed": None})
    assert capsys.readouterr().err == "verifying 0123456789ab 100% of 1 KB\nnonsense\n"
