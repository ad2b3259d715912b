"""`puna meter compare`: like with like, verdicts by intervals, and exit code 5 for a regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from puna.cli.commands.meter_compare import compare as command
from puna.database import Database, database_url
from puna.errors import BadRequest, NotFound, PunaError
from puna.meter.cell import ModelResult, RunResult
from puna.meter.history import History, HistoryRow
from puna.meter.plan import ListedModel
from puna.meter.report.compare import compare
from puna.meter.report.conditions import parse_conditions
from puna.meter.report.envelope import as_text, envelope, model
from puna.meter.report.schema import read_envelope
from puna.meter.report.sides import Side, of_envelope, side
from tests.meter.sample_runs import ENDPOINT, HOST, Speed, broken, cell, listed, result, run

FAST, SLOW = Speed(decode=40), Speed(decode=30)


def of(*models: ModelResult, title: str = "run") -> Side:
    return of_envelope(title, envelope(run(*models)))


def outcomes(before: Side, after: Side, **options: bool) -> dict[str, str]:
    return {change.metric: change.outcome for change in compare(before, after, **options).changes}


def test_faster_and_slower_are_told_when_the_intervals_are_apart() -> None:
    found = compare(of(result("a", FAST)), of(result("a", SLOW)))
    (decode,) = [change for change in found.changes if change.metric == "decode"]
    assert decode.outcome == "slower"
    assert decode.relative == pytest.approx(-0.25, abs=0.03)
    assert outcomes(of(result("a", SLOW)), of(result("a", FAST)))["decode"] == "faster"


def test_for_times_less_is_faster() -> None:
    assert outcomes(of(result("a", Speed(ttft=0.4))), of(result("a", Speed(ttft=0.2))))["ttft"] == "faster"


def test_noise_is_no_difference() -> None:
    noisy = [of(result("a", Speed(noise=0.3), cell("a", Speed(noise=0.3), seed=seed))) for seed in (1, 2)]
    assert set(outcomes(*noisy).values()) == {"no clear difference"}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (lambda made: replace(made, endpoints=(replace(ENDPOINT, url="http://other:1"),)), "endpoint"),
        (lambda made: replace(made, host=replace(HOST, cores=2)), "machine"),
        (lambda made: _with_model(made, digest="sha256:other"), "digest"),
        (lambda made: _with_plan(made, prompts=("another",)), "prompts"),
        (lambda made: _with_settings(made, num_predict=9), "num_predict"),
        (lambda made: _with_settings(made, think=True), "think"),
        (lambda made: _with_cell(made, contended=True), "parallel"),
    ],
    ids=["endpoint", "machine", "digest", "prompts", "num_predict", "think", "parallel"],
)
def test_C2_what_was_measured_otherwise_is_not_compared(changed, named: str) -> None:  # type: ignore[no-untyped-def]
    before, made = of(result("a", FAST)), changed(run(result("a", SLOW)))
    after = of_envelope("after", envelope(made))
    found = compare(before, after, parse_conditions(["decode<-10%"]))
    assert {change.outcome for change in found.changes} == {"not alike"}
    assert {change.pair.unlike for change in found.changes} == {(named,)}
    assert not found.compared
    assert not found.regressions
    assert compare(before, after, parse_conditions(["decode<-10%"]), loose=True).regressions


def _with_model(made: RunResult, **fields: object) -> RunResult:
    (only,) = made.models
    return replace(made, models=(replace(only, model=replace(only.model, **fields)),))


def _with_cell(made: RunResult, **fields: object) -> RunResult:
    (only,) = made.models
    return replace(made, models=(replace(only, cells=(replace(only.cells[0], **fields),)),))


def _with_plan(made: RunResult, **fields: object) -> RunResult:
    return _with_cell(made, plan=replace(made.models[0].cells[0].plan, **fields))


def _with_settings(made: RunResult, **fields: object) -> RunResult:
    return _with_cell(made, settings=replace(made.models[0].cells[0].settings, **fields))


def test_an_unknown_digest_is_no_difference() -> None:
    unknown: ListedModel = listed("a", digest="")
    after = of(replace(result("a", SLOW), model=unknown))
    assert outcomes(of(result("a", FAST)), after)["decode"] == "slower"


def test_cells_are_paired_by_their_setting() -> None:
    before = of(result("a", FAST, cell("a", FAST), cell("a", FAST, depth=2048)))
    after = of(result("a", FAST, cell("a", SLOW, depth=2048), cell("a", FAST), cell("a", FAST, depth=4096)))
    found = {
        change.pair.before.depth: change.outcome
        for change in compare(before, after).changes
        if change.metric == "decode"
    }
    assert found == {0: "no clear difference", 2048: "slower"}


def test_void_cells_say_nothing() -> None:
    late = result("a", FAST, replace(cell("a", SLOW), lag_p99_ns=9_000_000))
    found = compare(of(result("a", FAST)), of(late), parse_conditions(["decode<-10%"]))
    assert {change.outcome for change in found.changes} == {"void"}
    assert not found.compared


@pytest.mark.parametrize(
    ("conditions", "after", "broken_by"),
    [
        (["decode<-10%"], SLOW, ["decode<-10%"]),
        (["decode<-30%"], SLOW, []),
        (["decode>+10%"], SLOW, []),
        (["decode<-10%,ttft>5%"], replace(SLOW, ttft=0.3), ["ttft>+5%", "decode<-10%"]),
        (["ttft>+40%", "tpot > +20 %"], replace(SLOW, ttft=0.4), ["ttft>+40%", "tpot>+20%"]),
        (["decode<-1%"], replace(FAST, noise=0.3), []),  # the intervals overlap
    ],
)
def test_a_condition_that_is_met_is_a_regression(conditions: Sequence[str], after: Speed, broken_by: list[str]) -> None:
    found = compare(of(result("a", FAST)), of(result("a", after)), parse_conditions(conditions))
    assert [str(condition) for change in found.regressions for condition in change.broken] == broken_by


def test_single_requests_are_no_way_around_a_condition() -> None:
    once = result("a", FAST, cell("a", FAST, requests=1)), result("a", SLOW, cell("a", SLOW, requests=1))
    found = compare(of(once[0]), of(once[1]), parse_conditions(["decode<-10%"]))
    assert [change.outcome for change in found.regressions] == ["no clear difference"]


def test_what_cannot_be_measured_any_more_is_a_regression() -> None:
    gone = replace(broken("a"), model=listed("a"))
    gone = replace(gone, cells=(replace(gone.cells[0], settings=cell("a", FAST).settings),))
    found = compare(of(result("a", FAST)), of(gone), parse_conditions(["decode<-10%"]))
    assert [(change.metric, change.outcome) for change in found.regressions] == [("decode", "gone")]


def test_models_of_one_side_only_are_named() -> None:
    found = compare(of(result("a"), result("b")), of(result("b"), result("c")))
    assert [each.name for each in found.gone] == ["a"]
    assert {change.pair.model.name for change in found.changes} == {"b"}


@pytest.mark.parametrize(
    "text", ["", "decode", "decode<10", "decode=-10%", "decode<-10%%", "decode<nan%", "decode<-10%,", "ttft.p90>1%"]
)
def test_a_condition_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="is no condition"):
        parse_conditions([text])


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadRequest, match=r"no metric 'speed': use one of ttft, "):
        parse_conditions(["speed<-10%"])


def test_sides_are_files_or_runs_of_the_history(history: History, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(as_text(envelope(run(result("from a file")))), encoding="utf-8")
    for number, id_ in enumerate(("aaaa1111-x", "aaaa2222-x", "bbbb3333-x")):
        row = HistoryRow(
            f"{number}", f"2026-01-0{number + 1}T10:00:00+00:00", "m", run_id=id_,
            result=as_text(model(result(f"m{number}"), "http://h")),
        )  # fmt: skip
        history.save(row)
    assert side(str(file), history).models[0].name == "from a file"
    assert side(str(file), history).title == "a.json, 2026-11-23 08:30:00"
    assert [side(text, history).models[0].name for text in ("last", "last~1", "last~2", "bbbb", "aaaa2")] == [
        "m2",
        "m1",
        "m0",
        "m2",
        "m1",
    ]
    assert side("last", history).title == "run bbbb3333, 2026-01-03 10:00:00"
    for text, error, words in (
        ("last~3", NotFound, "has 3 runs"),
        ("aaaa", BadRequest, "begins the ids of 2 runs"),
        ("cccc", NotFound, "no file cccc, and no run"),
        ("nothing.json", NotFound, "there is no file nothing.json"),
    ):
        with pytest.raises(error, match=words):
            side(text, history)


def test_rows_of_the_reference_have_nothing_to_compare(history: History) -> None:
    history.save(HistoryRow("1", "2026-01-01T10:00:00+00:00", "m", run_id="aaaa1111"))
    history.save(HistoryRow("2", "2026-01-01T10:00:00+00:00", "m", run_id="aaaa1111", result="{"))
    assert side("aaaa", history).models == ()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    """Fast, slow, and something else. The history is an empty one."""
    monkeypatch.setenv("PUNA_DATABASE", str(tmp_path / "puna.db"))
    made = (run(result("a[bold]\x1b", FAST)), run(result("a[bold]\x1b", SLOW)), run(result("b")))
    paths = []
    for number, each in enumerate(made):
        path = tmp_path / f"{number}.json"
        path.write_text(as_text(envelope(each)), encoding="utf-8")
        assert read_envelope(path.read_bytes())
        paths.append(str(path))
    return paths[0], paths[1], paths[2]


def test_the_command_prints_a_table_and_ends_with_5(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([files[0], files[1]], ["decode<-10%"]) == 5
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["MODEL", "SETTING", "METRIC", "A", "B", "CHANGE", "RESULT"]
    (line,) = [line for line in out.splitlines() if "Decode" in line]
    assert line.startswith("a[bold]    —")
    assert "slower" in line
    assert "✗ a[bold]: decode<-10% (−2" in err
    assert "\x1b" not in out + err


def test_the_command_ends_with_0_without_a_regression(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([files[1], files[0]], ["decode<-10%"]) == 0
    assert "✓ no regression" in capsys.readouterr().err
    assert command([files[0], files[1]]) == 0
    assert command([files[0], files[1]], verbose=True) == 0
    assert "Inter-chunk gap" in capsys.readouterr().out


def test_a_check_that_looks_at_nothing_does_not_pass(files: tuple[str, str, str]) -> None:
    with pytest.raises(PunaError, match="nothing was measured alike"):
        command([files[0], files[2]], ["decode<-10%"])
    with pytest.raises(PunaError, match=r"nothing to check draft_acceptance<-1% by"):
        command([files[0], files[1]], ["draft_acceptance<-1%"])


def test_a_history_that_is_not_needed_is_not_opened(
    files: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUNA_DATABASE", "postgresql://nobody@127.0.0.1:1/none")
    assert command([files[0], files[0]]) == 0


def test_an_empty_history_says_what_to_do(tmp_path: Path) -> None:
    database = Database(database_url(str(tmp_path / "puna.db")))
    with pytest.raises(NotFound, match="the history has 0 runs: measure more with puna meter"):
        side("last", History(database))
    database.close()
