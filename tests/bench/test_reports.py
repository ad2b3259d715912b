"""What `make bench` makes of its samples: ratios, differences, intervals, goals, tables. No speed is asserted here."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.figures import Figure, Goal
from bench.report import BEGIN, END, HEAD, Report, newest, number, with_table
from rich.console import Console

from tests.house.tree import ROOT, read

RATE = Figure("rate", "tiny, 4 streams", "ratio", "tokens/s", [95, 97, 96], [100, 101, 99], Goal(0.95, "at least"))
ADDED = Figure("first token", "tiny", "added", "ms", [14.0, 15.0, 99.0], [10.0, 11.0, 12.0], Goal(3, "at most"))
ALONE = Figure("CPU", "tiny", "alone", "µs", [82.5], [])

MACHINE = {
    "cpu": "Some CPU",
    "cores": 2,
    "memory_gib": 8.0,
    "system": "Linux x86_64",
    "gpu": "not used",
    "versions": {"python": "3.11", "puna": "0.1.0", "xllamacpp": "1"},
}
REPORT = Report("2026-01-02T03:04Z", MACHINE, {"load_average_at_start": 0.1}, [RATE, ADDED, ALONE])


def test_a_ratio_is_that_of_the_medians() -> None:
    assert RATE.value == 0.96
    assert RATE.met is True


def test_some_figures_are_renewed_and_the_others_say_when_they_were_taken() -> None:
    again = Figure(RATE.what, RATE.case, "ratio", "tokens/s", [99, 99], [100, 100])
    later = Report("2026-02-02T03:04Z", MACHINE, {"load_average_at_start": 0.2}, [again]).beside(REPORT)
    assert later.figures == [ADDED, ALONE, again]
    assert later.conditions["figures_kept_from"] == {REPORT.when: [ADDED.what, ALONE.what]}
    assert Report.from_json(later.to_json()).markdown() == later.markdown()


def test_a_difference_is_that_of_the_medians_so_that_one_slow_moment_does_not_count() -> None:
    assert ADDED.value == 4.0
    assert ADDED.met is False


def test_what_stands_alone_is_its_median_and_may_have_no_goal() -> None:
    assert ALONE.value == 82.5
    assert ALONE.met is None


def test_a_value_at_its_goal_meets_it() -> None:
    assert Goal(0.95, "at least").met(0.95)
    assert Goal(3, "at most").met(3)


def test_the_interval_holds_the_value_and_is_the_same_every_time() -> None:
    bounds = RATE.interval
    assert bounds is not None
    assert bounds[0] <= RATE.value <= bounds[1]
    assert bounds == RATE.interval


def test_pairs_cancel_what_slows_both_sides_alike() -> None:
    base = [float(n) for n in range(100, 200)]
    figure = Figure("", "", "added", "ms", [sample + 2 for sample in base], base)
    assert figure.interval == (2, 2)


def test_one_sample_has_no_interval() -> None:
    assert ALONE.interval is None


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (100, "100"), (99.96, "100"), (12.345, "12.3"), (0.95678, "0.957"), (0, "0")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_the_table_names_both_sides_the_result_and_the_goal() -> None:
    rows = list(REPORT.rows())
    assert rows[0][:5] == ("rate", "tiny, 4 streams", "96 tokens/s", "100 tokens/s", "0.96 ×")
    assert rows[0][6] == "≥ 0.95: met"
    assert rows[1][4::2] == ("+4 ms", "≤ 3: missed")
    assert rows[2] == ("CPU", "tiny", "82.5 µs", "", "82.5 µs", "", "")


def test_the_printed_table_has_every_row() -> None:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(REPORT.table())
    assert all(figure.what in capture.get() for figure in REPORT.figures)


def test_a_report_read_back_is_the_same(tmp_path: Path) -> None:
    path = REPORT.save(tmp_path)
    assert path.name == "2026-01-02T0304Z.json"
    assert newest(tmp_path) == REPORT


def test_the_newest_report_is_the_last_in_time(tmp_path: Path) -> None:
    for when in ("2026-01-02T03:04Z", "2026-01-10T00:00Z", "2025-12-31T23:59Z"):
        Report(when, MACHINE, {}, [ALONE]).save(tmp_path)
    assert newest(tmp_path).when == "2026-01-10T00:00Z"


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    text = f"before\n{BEGIN}old\n{END}after\n"
    assert with_table(text, "new\n") == f"before\n{BEGIN}new\n{END}after\n"


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="marker"):
        with_table("nothing here", "new\n")


def test_the_readme_shows_the_newest_results() -> None:
    readme = read("README.md")
    assert with_table(readme, newest(ROOT / "bench/results").markdown()) == readme
    assert " | ".join(HEAD) in readme
