"""Every error row of the contract, and what must survive it (contract meter §13, §15: C4, C6, C9, C10, C12, C15)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from puna.meter.session import Session
from tests.meter.command import Meter, meter, serving
from tests.meter.synthetic import Script, Synthetic
from tests.servers import NO_NETWORK, free_port

__all__ = ["meter"]

QUICK = Script(ttft_s=0.002, gap_s=0.001, tokens=3)
HOSTILE = "a[bold]b[/]"


@pytest.fixture
def local(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Synthetic]:
    found = Synthetic({"good:1b": QUICK, HOSTILE: replace(QUICK, trick="error inside"), "good:7b": QUICK})
    with serving(found) as (url,):
        monkeypatch.setenv("OLLAMA_HOST", url)
        yield found


def test_nothing_answers_anywhere(meter: Meter) -> None:
    result = meter("--no-embedded")
    assert result.status == 3
    assert result.out == ""
    lines = [line for line in result.err.splitlines() if line]
    assert lines[0].startswith("⚠ Skipping local Ollama (could not connect")
    assert lines[1].startswith("✗ Failed to fetch cloud models: nothing answers at http://127.0.0.1:9")
    assert lines[2:] == ["No local models found.", "No cloud models found."]


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["--json"], "[]\n"),
        (["--csv", "--ttft"], "model,size,context,quant,capabilities,modified_at,ttft,error\r\n\n"),
    ],
)
def test_C10_exports_are_written_when_there_is_nothing(meter: Meter, words: list[str], out: str) -> None:
    result = meter("--local", "--no-embedded", *words)
    assert (result.status, result.out) == (3, out)


def test_where_nothing_answers_here_a_runtime_of_its_own_is_started(
    meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{free_port()}")
    result = meter("--json")
    assert result.status == 0
    assert "no server answers at http://127.0.0.1:" in result.err
    assert [row["model"] for row in json.loads(result.out)] == ["smollm2:135m"]


def test_a_server_without_models_is_no_failure(meter: Meter, local: Synthetic) -> None:
    local.models = {}
    result = meter("--local")
    assert (result.status, result.err) == (0, "No local models found.\n")
    assert meter("--local", "--ttft").status == 3


def test_a_cloud_that_is_away_does_not_stop_the_local_models(meter: Meter, local: Synthetic) -> None:
    result = meter("--ttft", "--runs", "1", "--model", "good:1b")
    assert result.status == 0
    assert "✗ Failed to fetch cloud models: " in result.err
    assert "No cloud models found." in result.err
    assert "Ollama Local Models — good:1b" in result.err


def test_no_model_of_that_name(meter: Meter, local: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Synthetic({"far": QUICK})) as (cloud,):
        monkeypatch.setenv("OLLAMA_CLOUD_BASE_URL", cloud)
        result = meter("--model", "llama3", "[x]", "good:70b")
    assert (result.status, result.out) == (1, "")
    assert result.err == "✗ No model matching 'llama3, [x], good:70b' found in local, cloud.\n"


def test_C4_the_family_is_wanted_by_a_flag(meter: Meter, local: Synthetic) -> None:
    rows = json.loads(meter("--local", "--model", "good:70b", "--family", "--json").out)
    assert [row["model"] for row in rows] == ["good:1b", "good:7b"]


def test_the_cloud_without_a_key(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Synthetic({"far": QUICK})
    with serving(cloud) as (url,):
        monkeypatch.setenv("OLLAMA_CLOUD_BASE_URL", url)
        result = meter("--cloud", "--ttft", "--runs", "1")
        assert result.status == 0
        assert "⚠ OLLAMA_CLOUD_API_KEY not found. " in result.err
        assert "OLLAMA_CLOUD_API_KEY" not in meter("--cloud").err


def test_C15_the_key_goes_with_every_call(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Synthetic({"far": QUICK}, key="k")) as (url,):
        monkeypatch.setenv("OLLAMA_CLOUD_BASE_URL", url)
        monkeypatch.setenv("OLLAMA_CLOUD_API_KEY", "k")
        assert meter("--cloud", "--ttft", "--runs", "1").status == 0
        monkeypatch.setenv("OLLAMA_CLOUD_API_KEY", "wrong")
        result = meter("--cloud", "--ttft", "--runs", "1")
    assert result.status == 3
    assert "✗ Failed to fetch cloud models: unauthorized" in result.err


def test_one_bad_model_does_not_sink_the_others_and_its_name_is_text(meter: Meter, local: Synthetic) -> None:
    local.models["lost"] = replace(QUICK, capabilities=None)
    words = ("--local", "--ttft", "--tps", "--runs", "1", "--verbose")
    result = meter(*words)
    assert result.status == 0
    assert f"⚠ {HOSTILE}: the engine fell over\n" in result.err
    assert "⚠ lost /api/show failed: no details of this one\n" in result.err
    assert f"│ {HOSTILE} " in result.err
    assert " err │" in result.err
    assert meter(*words, "--strict").status == 4
    rows = {row["model"]: row for row in json.loads(meter(*words, "--json").out)}
    assert rows[HOSTILE]["error"] == "the engine fell over"
    assert rows["lost"]["tps"] > 0


def test_C10_when_everything_failed(meter: Meter, local: Synthetic) -> None:
    local.models = {"bad": replace(QUICK, trick="breaks off")}
    result = meter("--local", "--ttft", "--runs", "1", "--json")
    assert result.status == 3
    assert json.loads(result.out)[0]["error"] == "Stream ended without completion"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--runs", "4"], "Error: --runs must be 1, 2 or 3, not 4\n"),
        (["--reverse"], "Error: --reverse requires --sort\n"),
        (["--nonsense"], "Error: unknown flag: --nonsense\n"),
        (["nonsense"], 'Error: unknown command "nonsense" for "puna meter"\n'),
        (["--prompts"], "Error: flag needs an argument: --prompts\n"),
        (["--model"], "Error: flag needs an argument: --model\n"),
        (["history", "stray"], "Error: accepts 0 arg(s), received 1\n"),
    ],
)
def test_usage_errors(meter: Meter, words: list[str], text: str) -> None:
    result = meter(*words)
    assert (result.out, result.err) == ("", text)
    assert result.status == (1 if words[0] == "history" else 2)


@pytest.mark.parametrize("words", [["--runs", "x"], ["--sort", "age"], ["--stat", "mode"], ["--format", "v3"]])
def test_values_that_a_flag_does_not_take(meter: Meter, words: list[str]) -> None:
    result = meter(*words)
    assert result.status == 2
    assert result.err.startswith(f"Error: Invalid value for '{words[0]}'")


def test_value_errors(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    assert meter("--slo", "x").status == 1
    monkeypatch.setenv("OLLAMA_HOST", "ftp://x")
    result = meter("--local")
    assert (result.status, result.err) == (1, 'Error: invalid host "ftp://x": the scheme must be http or https\n')


def test_Ctrl_C_before_anything_is_measured(meter: Meter, local: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(session: Session) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "run", interrupted)
    result = meter("--local", "--ttft", "--json")
    assert (result.status, result.out, result.err) == (130, "[]\n", "Interrupted.\n")


def test_C12_a_history_that_cannot_be_opened_is_one_warning(
    meter: Meter, local: Synthetic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("OMETER_HISTORY_DB", str(tmp_path / "file" / "history.db"))
    words = ("--local", "--model", "good")
    assert "history" not in meter(*words).err
    result = meter(*words, "--ttft", "--runs", "1")
    assert result.status == 0
    assert result.err.count("⚠ no history is kept: ") == 1
    assert meter("--history").status == 1


def test_a_listing_touches_no_history(meter: Meter, local: Synthetic, home: Path) -> None:
    assert meter("--local").status == 0
    assert not (home / ".puna").exists()


def test_C1_the_second_run_has_arrows_and_C2_only_compared_with_its_like(meter: Meter, local: Synthetic) -> None:
    words = ("--local", "--model", "good:1b", "--ttft", "--tps", "--runs", "1")

    def arrows() -> str:
        return "".join(letter for letter in meter(*words).err if letter in "↑↓→")

    assert arrows() == ""
    assert len(arrows()) == 2
    words = (*words[:-1], "2")
    assert arrows() == ""


def test_C9_what_was_measured_is_gone_on_with(meter: Meter, local: Synthetic) -> None:
    words = ("--local", "--ttft", "--tps", "--runs", "1", "--json")
    first = {row["model"]: row for row in json.loads(meter(*words).out)}
    local.asked.clear()
    local.models[HOSTILE] = QUICK
    again = {row["model"]: row for row in json.loads(meter(*words, "--resume").out)}
    assert set(local.models_asked()) == {HOSTILE}
    assert list(again) == list(first)
    assert again["good:1b"] == first["good:1b"]
    assert "error" not in again[HOSTILE]
    ids = {entry["id"] for entry in [json.loads(meter(*words, "--resume", "--format", "v2").out)["run"]]}
    assert len(ids) == 1


def test_resuming_without_an_earlier_run(meter: Meter, local: Synthetic) -> None:
    result = meter("--local", "--model", "good:1b", "--ttft", "--runs", "1", "--resume")
    assert result.status == 0
    assert result.err.startswith("There is no run to go on with: everything is measured.\n")


def test_other_endpoints_native_and_not(meter: Meter, local: Synthetic) -> None:
    with serving(Synthetic({"v": QUICK}, native=False), Synthetic({"o": QUICK})) as (openai, ollama):
        result = meter(
            "--endpoint", f"vllm={openai}/v1", "--endpoint", f"other={ollama}", "--endpoint", f"none={NO_NETWORK}",
            "--ttft", "--tps", "--runs", "1",
        )  # fmt: skip
    assert result.status == 0
    assert "vllm Models" in result.err
    assert "other Models" in result.err
    assert "⚠ Skipping none (nothing answers at http://127.0.0.1:9)." in result.err
    assert result.err.count("* not the server's own decode time") == 1
    assert local.asked == []


def test_the_same_endpoint_name_twice(meter: Meter) -> None:
    assert meter("--endpoint", "a=http://x", "--endpoint", "a=http://y").status == 2


def test_every_form_of_a_report_is_written(meter: Meter, local: Synthetic, tmp_path: Path) -> None:
    result = meter(
        "--local", "--model", "good", "--repeat", "2", "--runs", "1", "--slo", "chat", "--cold",
        "--json", "v2.json", "--format", "v2", "--md", "report.md", "--html", "report.html", "--raw", "raw.jsonl",
    )  # fmt: skip
    assert (result.status, result.out) == (0, "")
    envelope = json.loads((tmp_path / "v2.json").read_text())
    assert [model["name"] for model in envelope["models"]] == ["good:1b", "good:7b"]
    assert "--slo" in envelope["run"]["arguments"]
    assert (tmp_path / "report.md").read_text().count("good:1b") >= 1
    assert (tmp_path / "report.html").read_text().startswith("<!")
    records = [json.loads(line) for line in (tmp_path / "raw.jsonl").read_text().splitlines()]
    assert len(records) == 2 * (2 + 1 + 1)


def test_the_second_table_tells_what_two_numbers_do_not(meter: Meter, local: Synthetic) -> None:
    local.models = {"deep:1b": replace(QUICK, thinking=1)}
    text = meter("--local", "--depth", "0,50", "--cold", "--num-predict", "20", "--slo", "ttft:5000", "--runs", "1").err
    details = text[text.index("Details") :]
    for header in ("Cold load s", "Prefill tok/s", "Decode tok/s", "Think %", "Good", "GPU %", "Ctx used", "OK"):
        assert header in details
    assert "! 40%" in details
    assert "@ 50" in details
    assert "(100%)" in details
