"""The reference tool's own flag combinations, on endpoints whose truth is known (contract meter §3, §4, §7, §11, §12)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.meter.command import Meter, Result, meter, serving
from tests.meter.synthetic import Script, Synthetic

__all__ = ["meter"]

QUICK = {"ttft_s": 0.002, "gap_s": 0.001, "tokens": 3}
ABOUT = ["model", "size", "context", "quant", "capabilities", "modified_at"]


@dataclass
class Ends:
    """A local server and a cloud."""

    local: Synthetic
    cloud: Synthetic

    def prompts(self, *, of: str = "alpha:7b") -> list[str]:
        chats = (body for body in self.local.bodies("/api/chat") if body["model"] == of)
        return [body["messages"][0]["content"] for body in chats if "num_predict" not in (body.get("options") or {})]


@pytest.fixture
def ends(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    found = Ends(
        Synthetic(
            {"alpha:7b": Script(**QUICK), "Beta:1b": Script(**QUICK | {"ttft_s": 0.03}), "gamma:1b": Script(**QUICK)}
        ),
        Synthetic({"far:70b": Script(**QUICK)}),
    )
    with serving(found.local, found.cloud) as (local, cloud):
        monkeypatch.setenv("OLLAMA_HOST", local)
        monkeypatch.setenv("OLLAMA_CLOUD_BASE_URL", cloud)
        yield found


def named(result: Result) -> list[str]:
    """The models of the tables, from top to bottom."""
    cells = (line.split("│")[1].strip() for line in result.err.splitlines() if line.startswith("│"))
    return [cell for cell in cells if cell]


def columns(result: Result) -> list[str]:
    header = next(line for line in result.err.splitlines() if line.startswith("┃"))
    return [cell.strip() for cell in header.strip("┃").split("┃")]


def rows(result: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(result.out)))


@pytest.mark.parametrize(
    ("words", "models"),
    [
        (["--local"], ["alpha:7b", "Beta:1b", "gamma:1b"]),
        (["--cloud"], ["far:70b"]),
        (["--local", "--cloud"], ["alpha:7b", "Beta:1b", "gamma:1b", "far:70b"]),
        ([], ["alpha:7b", "Beta:1b", "gamma:1b", "far:70b"]),
        (["--model", "far", "gamma"], ["gamma:1b", "far:70b"]),
        (["--model", "gamma", "--model", "alpha:7b", "--local"], ["alpha:7b", "gamma:1b"]),
    ],
)
def test_models_are_listed(ends: Ends, meter: Meter, words: list[str], models: list[str]) -> None:
    result = meter(*words)
    assert (result.status, result.out) == (0, "")
    assert named(result) == models
    assert columns(result) == ["Model", "Size", "Context", "Quant", "Capabilities"]
    assert ends.local.bodies("/api/chat") == []


def test_tables_have_titles_and_a_blank_line_between_them(ends: Ends, meter: Meter) -> None:
    lines = [line.strip() for line in meter().err.splitlines()]
    assert "Ollama Local Models" in lines
    assert lines[lines.index("Ollama Cloud Available Models") - 1] == ""
    assert "Ollama Local Models — gamma, far" in meter("--model", "gamma", "far").err


@pytest.mark.parametrize(
    ("words", "metrics"),
    [
        (["--ttft", "--runs", "1"], ["TTFT"]),
        (["--tps", "--runs", "1"], ["TPS"]),
        (["--ttft", "--verbose"], ["TTFT1", "TTFT2", "TTFT3", "TTFT"]),
        (["--tps", "--verbose", "--runs", "1"], ["TPS1", "TPS"]),
        (["--ttft", "--tps", "--verbose", "--runs", "2"], ["TTFT1", "TTFT2", "TTFT", "TPS1", "TPS2", "TPS"]),
    ],
)
def test_metrics_are_columns_behind_the_others(ends: Ends, meter: Meter, words: list[str], metrics: list[str]) -> None:
    result = meter("--local", "--model", "alpha", *words)
    assert columns(result) == ["Model", "Size", "Context", "Quant", "Capabilities", *metrics]
    assert "n/a" not in result.err
    assert result.status == 0


def test_both_metrics_are_measured_whichever_is_shown(ends: Ends, meter: Meter) -> None:
    meter("--local", "--model", "alpha", "--tps", "--runs", "1")
    (row,) = json.loads(meter("--history", "--json").out)
    assert row["ttft"] > 0
    assert row["tps"] > 0


@pytest.mark.parametrize(
    ("words", "variable", "count"),
    [(["--runs", "1"], "3", 1), ([], "2", 2), ([], "99", 3), ([], "zz", 3), (["--runs", "3"], "1", 3)],
)
def test_the_number_of_runs(
    ends: Ends, meter: Meter, monkeypatch: pytest.MonkeyPatch, words: list[str], variable: str, count: int
) -> None:
    monkeypatch.setenv("OMETER_RUNS", variable)
    meter("--local", "--model", "alpha", "--ttft", *words)
    built_in = ["why is the sky blue?", "explain quantum computing in one paragraph", "write a haiku about rain"]
    assert ends.prompts() == built_in[:count]


def test_prompts_from_the_command_line_and_from_a_file(ends: Ends, meter: Meter, tmp_path: Path) -> None:
    meter("--local", "--model", "alpha", "--ttft", "--prompts", " tell me ", "--runs", "2")
    (tmp_path / "prompts.txt").write_text("\n one\n\ntwo \nthree\nfour\n")
    meter("--local", "--model", "alpha", "--ttft", "--prompts", "prompts.txt")
    meter("--local", "--model", "alpha", "--ttft", "--prompts", str(tmp_path))
    assert ends.prompts() == ["tell me", "one", "two", "three", "four", str(tmp_path)]


def test_models_side_by_side(ends: Ends, meter: Meter) -> None:
    result = meter("--local", "--ttft", "--runs", "1", "--parallel", "50")
    assert named(result) == ["alpha:7b", "Beta:1b", "gamma:1b"]
    assert json.loads(meter("--history", "--json").out)[0]["error"] is None


@pytest.mark.parametrize(
    ("words", "models"),
    [
        (["--sort", "name"], ["alpha:7b", "Beta:1b", "gamma:1b"]),
        (["--sort", "name", "--reverse"], ["gamma:1b", "Beta:1b", "alpha:7b"]),
        (["--sort", "modified", "--reverse"], ["gamma:1b", "Beta:1b", "alpha:7b"]),
        (["--sort", "size"], ["alpha:7b", "Beta:1b", "gamma:1b"]),
        (["--sort", "ctx", "--reverse"], ["alpha:7b", "Beta:1b", "gamma:1b"]),
        (["--sort", "ttft", "--reverse", "--ttft", "--runs", "1", "--model", "alpha", "Beta"], ["Beta:1b", "alpha:7b"]),
        (["--sort", "tps", "--tps", "--runs", "1", "--model", "alpha"], ["alpha:7b"]),
    ],
)
def test_rows_are_sorted(ends: Ends, meter: Meter, words: list[str], models: list[str]) -> None:
    assert named(meter("--local", *words)) == models


@pytest.mark.parametrize("flag", ["--num_predict", "--num-predict"])
def test_the_length_of_answers_goes_to_the_server(ends: Ends, meter: Meter, flag: str) -> None:
    meter("--local", "--model", "alpha", "--tps", "--runs", "1", "--no-warm-up", flag, "5")
    assert [body["options"] for body in ends.local.bodies("/api/chat")] == [{"num_predict": 5}]


def test_one_discarded_request_goes_first_unless_it_is_not_wanted(ends: Ends, meter: Meter) -> None:
    meter("--local", "--model", "alpha", "--tps", "--runs", "1")
    warm, real = ends.local.bodies("/api/chat")
    assert (warm["options"], real.get("options")) == ({"num_predict": 32}, None)
    meter("--local", "--model", "alpha", "--tps", "--runs", "1", "--no-warm-up")
    assert len(ends.local.bodies("/api/chat")) == 3


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ([], ABOUT),
        (["--ttft", "--tps"], [*ABOUT, "ttft", "tps"]),
        (["--tps", "--verbose"], [*ABOUT, "tps_run_1", "tps_run_2", "tps"]),
    ],
)
def test_exports_on_standard_output(ends: Ends, meter: Meter, words: list[str], keys: list[str]) -> None:
    words = ["--local", "--model", "alpha", "--runs", "2", *words]
    as_json, as_csv = meter(*words, "--json"), meter(*words, "--csv")
    assert (as_json.err, as_csv.err) == ("", "")
    assert [list(row) for row in json.loads(as_json.out)] == [keys]
    assert as_json.out.endswith("\n]\n")
    assert as_csv.out.splitlines()[0] == ",".join([*keys, "error"])
    assert as_csv.out.endswith("\r\n\n")


def test_exports_to_files_have_both_endpoints_in_one(ends: Ends, meter: Meter, tmp_path: Path) -> None:
    result = meter("--json", "all.json")
    assert (result.out, result.err) == ("", "")
    assert [row["model"] for row in json.loads((tmp_path / "all.json").read_text())] == [
        "alpha:7b", "Beta:1b", "gamma:1b", "far:70b",
    ]  # fmt: skip
    meter("--cloud", "--csv", "all.csv", "--ttft", "--runs", "1")
    header, row = (tmp_path / "all.csv").read_bytes().split(b"\r\n")[:2]
    assert header == b"model,size,context,quant,capabilities,modified_at,ttft,error"
    assert row.startswith(b"far:70b,7B,8192,,completion,2026-01-28T00:00:00Z,0.")


def test_history_as_a_table(ends: Ends, meter: Meter) -> None:
    assert meter("--history").err == "No history found.\n"
    meter("--local", "--ttft", "--runs", "1")
    meter("--local", "--ttft", "--runs", "2", "--model", "gamma")
    latest, detailed = meter("--history"), meter("--history", "--verbose")
    assert columns(latest) == ["Model", "Last Run", "Runs", "TTFT", "TPS", "Error"]
    assert named(latest) == ["gamma:1b", "Beta:1b", "alpha:7b"]
    assert "Benchmark History (latest per model)" in latest.err
    assert columns(detailed) == ["Model", "Timestamp", "Size", "Ctx", "Quant", "Mode", "TTFT", "TPS", "Error"]
    assert named(detailed) == ["gamma:1b", "gamma:1b", "Beta:1b", "alpha:7b"]  # C3
    assert named(meter("history", "--verbose", "--model", "gamma", "--limit", "1")) == ["gamma:1b"]


def test_history_as_exports(ends: Ends, meter: Meter) -> None:
    keys = ["model", "timestamp", "size", "context", "quantization", "capabilities", "mode", "ttft", "tps", "error"]
    assert meter("--history", "--json").out == "[]\n"
    assert meter("--history", "--csv").out == ",".join(keys) + "\r\n\n"
    meter("--local", "--tps", "--runs", "1", "--model", "alpha")
    plain: list[dict[str, Any]] = json.loads(meter("--history", "--json", "--model", "alpha").out)
    assert [list(row) for row in plain] == [keys]
    assert (plain[0]["model"], plain[0]["mode"], plain[0]["error"]) == ("alpha:7b", "local", None)
    assert json.loads(meter("--history", "--json", "--verbose").out)[0]["prompts"] == ["why is the sky blue?"]
    (row,) = rows(meter("--history", "--csv", "--verbose"))
    assert (row["context"], row["error"], row["prompts"]) == ("8192", "", '["why is the sky blue?"]')
    assert json.loads(meter("--history", "--json", "--model", "other").out) == []


def test_the_version(meter: Meter) -> None:
    from puna import __version__

    assert meter("--version").out == f"puna meter {__version__}\n"
