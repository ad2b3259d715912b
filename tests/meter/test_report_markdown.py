"""`--md`: a table that pastes well, whatever the models are called."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from puna.meter.report.envelope import envelope
from puna.meter.report.markdown import code, markdown
from tests.meter.sample_runs import Speed, broken, cell, laptop, result, run
from tests.meter.test_report_envelope import EVIL


def rows(text: str) -> list[list[str]]:
    """The table's body, split at bars that are no text."""
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[each.strip() for each in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_pp_and_tg_with_the_spread_and_the_depth() -> None:
    speed = Speed(decode=40, prefill=400, ttft=0.2, noise=0.001)
    cells = (cell("a", speed), cell("a", speed, depth=4096), cell("a", speed, concurrency=2))
    found = rows(markdown(envelope(run(result("a", speed, *cells)))))
    assert [row[5] for row in found] == [
        "pp128", "tg64", "pp128 @ d4096", "tg64 @ d4096", "pp128 ×2", "tg64 ×2",
    ]  # fmt: skip
    assert found[0][:5] == ["`a`", "2 GB", "3.3B", "Q4_K_M", "`local`"]
    assert re.fullmatch(r"40\.\d ± 0\.0\d", found[1][6])
    assert re.fullmatch(r"(200|199) ms ± \d+ µs", found[0][7])
    assert found[1][8:] == ["5/5", ""]


def test_the_first_lines_say_who_is_fastest_and_how_sure() -> None:
    text = markdown(envelope(laptop()))
    assert text.startswith("smollm2\\:135m is the fastest here\\: 18")
    assert "do not overlap" in text.splitlines()[0]


def test_failures_and_conditions_are_there() -> None:
    text = markdown(envelope(run(broken("b"))))
    assert "Nothing could be measured here" in text
    assert "0/3" in text
    assert "`model requires more system memory" in text
    assert "`AMD Ryzen 7 7840U`, 8 cores, 32 GB of memory, no GPU known" in text
    assert "puna meter --local --ttft --tps" in text


@pytest.mark.parametrize("name", [EVIL, "a|b|c", "``", "`", "[x](javascript:1) @all #1", "x" * 10_000, "\n# title", ""])
def test_C6_names_are_text_in_one_cell(name: str) -> None:
    made = replace(result(name), model=replace(result(name).model, target=name))
    found = rows(markdown(envelope(run(made))))
    assert [len(row) for row in found] == [10, 10]
    assert found[0][0].startswith("`")
    assert found[0][0].endswith("`")
    assert max(map(len, found[0])) < 100
    assert "\x1b" not in markdown(envelope(run(made)))


@pytest.mark.parametrize(
    ("text", "span"), [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("a``b`", "``` a``b` ```")]
)
def test_a_code_span_cannot_be_left(text: str, span: str) -> None:
    assert code(text) == span
