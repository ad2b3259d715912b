"""Progress lines and bars (contract ollama-store §6.7)."""

from __future__ import annotations

import pytest

from puna.cli.progress import Bar, Progress


def test_a_bar_fills_the_width() -> None:
    bar = Bar("pulling 0123456789ab:", 0, 0)
    bar.update(250_000_000, 1_000_000_000, 0.0)
    assert bar.line(80) == f"pulling 0123456789ab:  25% ▕{'█' * 4}{' ' * 14}▏ 250 MB/  1 GB{' ' * 19}"
    assert len(bar.line(80)) == 80
    bar.update(350_000_000, 1_000_000_000, 1.0)
    assert bar.line(80).endswith("▏ 350 MB/  1 GB   100 MB/s      6s")


def test_a_finished_bar_shows_the_total_only() -> None:
    bar = Bar("x", 0, 0)
    bar.update(5_000_000, 5_000_000, 0.0)
    assert bar.line(60).startswith("x 100% ▕█")
    assert bar.line(60).rstrip().endswith("▏   5 MB")


@pytest.mark.parametrize(("rate", "eta"), [(10**9, "1s"), (10**6, "16m40s"), (10**5, "2h46m"), (1000, "99h+")])
def test_the_time_left_is_short(rate: int, eta: str) -> None:
    bar = Bar("x", 0, 0)
    bar.update(0, 10**9 + rate, 0.0)
    bar.update(rate, 10**9 + rate, 1.0)
    assert bar.line(80).split()[-1] == eta


def test_speed_is_that_of_the_last_seconds() -> None:
    bar = Bar("x", 0, 0)
    for second in range(20):
        bar.update(second * 100 if second < 10 else 1000 + second * 10, 10_000, float(second))
    assert bar.rate == 10.0


def test_without_a_terminal_every_line_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.status("one")
        progress.status("one 50%", replace=True)
        progress.bar("a", "pulling a", 1, 10)
        progress.bar("a", "pulling a", 10, 10)
        progress.status("\x1b[2Jdone")
    assert capsys.readouterr().err == "one\npulling a\n[2Jdone\n"
