"""What a row says, how it is sorted, shown and exported: all without a server (contract meter §1, §7 to §11, C6, C13, C16)."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from puna.errors import BadRequest, PunaError
from puna.meter.cell import Cell, ModelResult
from puna.meter.export import export_results, format_csv, format_json
from puna.meter.formats import extract_context_length, facts, plain
from puna.meter.plan import CellPlan, ListedModel, Settings
from puna.meter.records import RequestRecord, ServerTimings, Stamp
from puna.meter.result import BenchmarkResult, ExportRow, Run, benchmark_result
from puna.meter.sorting import SortSpec, sort_results
from puna.meter.table import STYLES, FittedTable, TableRow, View, title


def record(ttft_s: float, *, tokens: int | None = 50, eval_ns: int | None = 10**9, **fields: object) -> RequestRecord:
    at = int(ttft_s * 1e9)
    stamps = (Stamp(at, "answer", 3), Stamp(at + 10**9, "answer", 3))
    said = ServerTimings(output_tokens=tokens, output_ns=eval_ns, total_ns=2 * 10**9)
    return RequestRecord("m", "local", "chat", "why?", "t", stamps=stamps, server=said, **fields)  # type: ignore[arg-type]


def measured(*records: RequestRecord, lag_ns: int = 0) -> ModelResult:
    cell = Cell(CellPlan(), Settings(), records, 1, lag_ns)
    return ModelResult(ListedModel("local", "m"), (cell,))


def row(model: str, ttft: float | None = None, tps: float | None = None, **fields: object) -> ExportRow:
    return ExportRow(model, "7B", "4096", "Q4_0", "tools", ttft, tps, modified_at="2026-01-01T00:00:00Z", **fields)  # type: ignore[arg-type]


ROWS = [
    row("good", 0.5, 20.0, runs=(Run("a", 0.25, 10.0), Run("b", 0.75, 30.0))),
    row("half", 0.1234567, None, error="it, \"failed\"", runs=(Run("a", 0.1234567), Run("b", error='it, "failed"'))),
    row("none", runs=()),
]  # fmt: skip


def test_a_median_stands_for_the_runs_and_a_mean_where_it_is_wanted() -> None:
    result = measured(record(0.1), record(0.2), record(0.9, tokens=100))
    assert benchmark_result(result).ttft == pytest.approx(0.2)
    assert benchmark_result(result, "mean").ttft == pytest.approx(0.4)
    assert benchmark_result(result, "mean").tps == pytest.approx(200 / 3)


def test_failed_runs_are_left_out_and_the_first_error_is_told() -> None:
    result = benchmark_result(measured(record(0.1), record(0, error="first"), record(0, error="second")))
    assert (result.ttft, result.tps, result.error) == (0.1, 50.0, "first")
    assert result.runs == (Run("why?", 0.1, 50.0), Run("why?", error="first"), Run("why?", error="second"))
    assert benchmark_result(measured()).error == "All benchmark runs failed"


def test_a_void_cell_keeps_only_what_the_server_reckoned() -> None:
    result = benchmark_result(measured(record(0.1), lag_ns=7_000_000))
    assert (result.ttft, result.tps) == (None, 50.0)
    assert (
        result.error == "no TTFT: the meter itself lagged by 7.0 ms (p99), measure again when this machine is less busy"
    )
    blind = benchmark_result(measured(record(0.1, tokens=None, eval_ns=None), lag_ns=7_000_000))
    assert (blind.tps, blind.error) == (None, str(result.error).replace("no TTFT", "void"))


def test_C16_a_rate_of_the_total_duration_is_told_apart() -> None:
    assert benchmark_result(measured(record(0.1), record(0.1, eval_ns=None))).tps_basis == "total_duration"
    assert benchmark_result(measured(record(0.1))).tps_basis == "server"


def test_json_byte_for_byte() -> None:
    assert format_json(ROWS[:2], 2, show_ttft=True, show_tps=True, verbose=True) == (
        "[\n"
        '  {\n    "model": "good",\n    "size": "7B",\n    "context": "4096",\n    "quant": "Q4_0",\n'
        '    "capabilities": "tools",\n    "modified_at": "2026-01-01T00:00:00Z",\n'
        '    "ttft_run_1": 0.25,\n    "ttft_run_2": 0.75,\n    "ttft": 0.5,\n'
        '    "tps_run_1": 10.0,\n    "tps_run_2": 30.0,\n    "tps": 20.0\n  },\n'
        '  {\n    "model": "half",\n    "size": "7B",\n    "context": "4096",\n    "quant": "Q4_0",\n'
        '    "capabilities": "tools",\n    "modified_at": "2026-01-01T00:00:00Z",\n'
        '    "ttft_run_1": 0.1234567,\n    "ttft_run_2": null,\n    "ttft": 0.1234567,\n'
        '    "tps_run_1": null,\n    "tps_run_2": null,\n    "tps": null,\n    "error": "it, \\"failed\\""\n  }\n'
        "]"
    )
    assert format_json([], 2, show_ttft=True, show_tps=True) == "[]"


def test_json_has_the_runs_that_there_are_up_to_the_number_of_runs() -> None:
    (first,) = json.loads(format_json(ROWS[:1], 1, True, False, True))
    assert [key for key in first if key.startswith("ttft")] == ["ttft_run_1", "ttft"]
    (third,) = json.loads(format_json(ROWS[2:], 2, True, False, True))
    assert [key for key in third if key.startswith("ttft")] == ["ttft"]


def test_csv_byte_for_byte() -> None:
    assert format_csv(ROWS, 2, show_ttft=True, show_tps=False, verbose=True) == (
        "model,size,context,quant,capabilities,modified_at,ttft_run_1,ttft_run_2,ttft,error\r\n"
        "good,7B,4096,Q4_0,tools,2026-01-01T00:00:00Z,0.25,0.75,0.50,\r\n"
        'half,7B,4096,Q4_0,tools,2026-01-01T00:00:00Z,0.12,,0.12,"it, ""failed"""\r\n'
        "none,7B,4096,Q4_0,tools,2026-01-01T00:00:00Z,,,,\r\n"
    )
    assert format_csv([], 3, True, True) == ("model,size,context,quant,capabilities,modified_at,ttft,tps,error\r\n")


def test_C16_the_basis_is_exported_where_it_is_not_the_usual_one() -> None:
    rows = [row("a", tps=1.0), row("b", tps=2.0, tps_basis="total_duration")]
    assert [found.get("tps_basis") for found in json.loads(format_json(rows, 1, True, True))] == [
        None,
        "total_duration",
    ]
    lines = format_csv(rows, 1, False, True).splitlines()
    assert [line.split(",")[-2] for line in lines] == ["tps_basis", "", "total_duration"]
    assert "tps_basis" not in format_csv(rows, 1, True, False)


def test_exports_go_to_a_file_or_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_results(ROWS, "csv", tmp_path / "x.csv", 1, False, False)
    assert (tmp_path / "x.csv").read_bytes().endswith(b"\r\n")
    export_results([], "json", None, 1, False, False)
    assert capsys.readouterr().out == "[]\n"
    with pytest.raises(PunaError, match="could not write"):
        export_results(ROWS, "json", tmp_path / "no" / "x.json", 1, False, False)


SORTED = [
    ExportRow("b", "7B", "10", "", "", ttft=0.2, tps=5.0, modified_at="2026-01-02T00:00:00Z"),
    ExportRow("A", "300M", "0", "", "", ttft=None, tps=None, modified_at="never"),
    ExportRow("c", "1T", "5", "", "", ttft=0.1, tps=9.0, modified_at="2026-01-02T01:00:00+02:00"),
    ExportRow("d", "7G", "5", "", "", ttft=0.1, tps=9.0, modified_at="2026-01-03"),
]


@pytest.mark.parametrize(
    ("field", "natural", "reverse"),
    [
        ("name", "Abcd", "dcbA"), ("modified", "dbcA", "Acbd"), ("ttft", "cdbA", "Abcd"), ("tps", "cdbA", "Abcd"),
        ("size", "cbdA", "Abdc"), ("ctx", "bcdA", "Acdb"),
    ],
)  # fmt: skip
def test_sorting_is_stable_and_missing_values_are_last_or_first(field: str, natural: str, reverse: str) -> None:
    assert "".join(found.model for found in sort_results(SORTED, SortSpec.parse(field))) == natural
    assert "".join(found.model for found in sort_results(SORTED, SortSpec.parse(field, True))) == reverse


def test_sorting_by_nothing_and_by_something_unknown() -> None:
    assert sort_results(SORTED, None) == SORTED
    with pytest.raises(BadRequest, match="name, modified, ttft, tps, size, ctx"):
        SortSpec.parse("age")


@pytest.mark.parametrize(
    ("info", "tokens"),
    [({"a": 1, "llama.context_length": 4096, "x.context_length": 1}, 4096), ({}, 0), ({"l.context_length": "many"}, 0)],
)
def test_the_context_is_the_trained_one(info: dict[str, object], tokens: int) -> None:
    assert extract_context_length(info) == tokens


def test_facts_of_a_model_that_says_little() -> None:
    known = facts(ListedModel("local", "mixtral:8x7b", details={"quantization_level": None}, capabilities=None))
    assert (known.size, known.guessed, known.context, known.quant, known.capabilities) == ("7B", True, "0", "", "")
    assert facts(ListedModel("local", "m", capabilities=("vision", "completion", "Z"))).capabilities == (
        "Z, completion, vision"
    )


def drawn(view: View, rows: list[TableRow], *, coloured: bool = False, width: int = 200) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=coloured, color_system="standard" if coloured else None
    )
    console.print(FittedTable(view, rows, coloured))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_C6_markup_and_control_codes_in_names_are_text() -> None:
    text = drawn(View(title("local", ["[red]"])), [TableRow(row("a[bold]b\x1b[31m\x07[/]"))])
    assert "a[bold]b[31m[/]" in text
    assert "Ollama Local Models — [red]" in text
    assert plain("a\u202eb\r\n") == "ab"


@pytest.mark.parametrize(
    ("width", "headers", "note"),
    [
        (110, "Model Size Context Quant Capabilities TTFT1 TTFT2 TTFT TPS1 TPS2 TPS", ""),
        (90, "Model Size Context TTFT1 TTFT2 TTFT TPS1 TPS2 TPS", "too narrow for Capabilities, Quant"),
        (40, "Model TTFT TPS", "too narrow for Capabilities, Quant, Context, Size, Runs"),
    ],
)
def test_a_narrow_terminal_gets_whole_numbers_and_fewer_columns(width: int, headers: str, note: str) -> None:
    measured = replace(ROWS[0], model="smollm2:135m")
    view = View("t", show_ttft=True, show_tps=True, verbose=True, num_runs=2)
    text = drawn(view, [TableRow(measured, "↑", "→")], width=width)
    assert " ".join(re.findall(r"\w+", text.splitlines()[2])) == headers
    assert "…" not in text
    assert "0.50 ↑ " in text
    assert note in " ".join(text.split())
    assert ("too narrow" in text) == bool(note)


def test_cells_of_runs_and_arrows() -> None:
    view = View("t", show_ttft=True, show_tps=True, verbose=True, num_runs=3)
    text = drawn(view, [TableRow(ROWS[0], "↑", "→"), TableRow(ROWS[1]), TableRow(row("guess", guessed=True))])
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line[0] == "│"]
    assert cells[0][5:] == ["0.25", "0.75", "n/a", "0.50 ↑", "10.00", "30.00", "n/a", "20.00 →"]
    assert cells[1][5:] == ["0.12", "err", "n/a", "0.12", "n/a", "err", "n/a", "n/a"]
    assert cells[2][1] == "~7B"
    assert "~ guessed from the name" in text


def test_C16_a_weaker_basis_has_a_star() -> None:
    text = drawn(View("t", show_tps=True), [TableRow(row("a", tps=5.0, tps_basis="client"), None, "↓")])
    assert "5.00* ↓" in text
    assert "* not the server's own" in text


def test_colours_by_thirds_of_everything_in_the_table() -> None:
    rows = [TableRow(row(str(value), float(value), float(value))) for value in (1, 2, 3)] + [TableRow(row("x"))]
    table = View("t", show_ttft=True, show_tps=True).table(rows, coloured=True)
    ttft, tps = ([cell.style for cell in table.columns[index].cells] for index in (5, 6))  # type: ignore[union-attr]
    good, middle, bad = STYLES["good"], STYLES["middle"], STYLES["bad"]
    assert ttft == [good, middle, bad, bad]
    assert tps == [bad, middle, good, bad]
    assert "\x1b[32m" in drawn(View("t", show_ttft=True), rows, coloured=True)


def test_a_result_without_runs_is_no_measurement() -> None:
    assert not row("a").measured
    assert not row("a", runs=(Run("p", error="x"),)).measured
    assert row("a", runs=(Run("p"),)).measured
    assert BenchmarkResult() == BenchmarkResult(None, None, None, ())
