"""`--format v2` and `--raw`: what other programs read, and what strangers' files may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from puna.errors import BadRequest
from puna.meter.cell import Cell
from puna.meter.metrics import METRICS
from puna.meter.plan import CellPlan, Settings
from puna.meter.report.envelope import as_text, envelope
from puna.meter.report.envelope import model as model_object
from puna.meter.report.raw import raw_lines
from puna.meter.report.schema import MAX_BYTES, MAX_TEXT, read_envelope, read_model
from puna.meter.slo import parse_slo
from tests.meter.sample_runs import Speed, broken, cell, listed, result, run

EVIL = '"><script>alert(1)</script>\x00\x1b[31m`|**x**\u202e\U000e0001{{7*7}}'


def test_what_is_written_can_be_read_again() -> None:
    found = envelope(run(result("a"), broken("b")), parse_slo("chat"))
    text = as_text(found)
    assert read_envelope(text) == read_envelope(text.encode()) == found
    assert read_model(as_text(found.models[0])) == found.models[0]


def test_the_envelope_has_the_contracts_keys() -> None:
    found = orjson.loads(as_text(envelope(run(result("a")))))
    assert found["schema"] == "puna.meter/2"
    assert found["run"]["arguments"] == ["--local", "--ttft", "--tps"]
    assert found["host"]["cpu"] == "AMD Ryzen 7 7840U"
    assert found["endpoints"][0]["round_trip_s"] == 0.00035
    model = found["models"][0]
    assert (model["name"], model["quant"], model["context_max"], model["context_used"]) == ("a", "Q4_K_M", 32768, 8192)
    assert model["memory"] == {"size": 2_400_000_000, "size_vram": 0, "gpu_share": 0.0, "spill": 2_400_000_000}
    measured = model["cells"][0]
    assert (measured["depth"], measured["n_in"], measured["n_out"], measured["concurrency"]) == (0, 128, 64, 1)
    assert (measured["attempts"], measured["ok"], measured["failures"], measured["flags"]) == (5, 5, {}, [])
    assert found["run"]["prompts"][measured["prompts"]][0] == "why is the sky blue?"
    decode = measured["metrics"]["decode"]
    assert (decode["id"], decode["unit"], decode["n"], decode["basis"]) == ("M11", "tok/s", 5, "server")
    assert decode["ci95"][0] < decode["median"] < decode["ci95"][1]
    assert set(decode["percentiles"]) == {"p50"}
    assert set(measured["metrics"]) <= set(METRICS)


def test_failures_are_told_by_cause_and_retries_counted() -> None:
    (found,) = envelope(run(broken("b"))).models
    (measured,) = found.cells
    cause = "model requires more system memory (9.1 GiB) than is available"
    assert (measured.attempts, measured.ok, measured.retries, measured.failures) == (3, 0, 9, {cause: 3})
    assert found.error == cause
    assert measured.metrics == {}


def test_a_void_cell_says_so() -> None:
    late = replace(cell("a", Speed()), lag_p99_ns=9_000_000)
    (found,) = envelope(run(result("a", None, late))).models
    assert found.cells[0].void == "the meter itself lagged by 9.0 ms (p99)"


def test_M8_stalls_and_M17_goodput_are_totals() -> None:
    (found,) = envelope(
        run(result("a", Speed(decode=0.9, ttft=0.01), cell("a", Speed(decode=0.5, ttft=0.01), tokens=4))),
        parse_slo("ttft:100"),
    ).models
    assert found.cells[0].totals["stalls"].value == 15  # three gaps of about two seconds in each of five answers
    assert found.cells[0].totals["good_fraction"].value == 1


def test_names_that_no_file_can_hold_are_cut_and_made_encodable() -> None:
    made = result("x" * 10_000 + "\udcff")
    text = as_text(envelope(run(made, arguments=["--prompts", "\udcff" * 9000])))
    found = read_envelope(text)
    assert len(found.models[0].name) == len(found.run.arguments[1]) == MAX_TEXT
    assert found.run.arguments[0] == "--prompts"
    assert read_model(as_text(model_object(made, ""))) is not None


def test_counts_that_make_a_number_infinite_leave_the_metric_out() -> None:
    good = cell("a", Speed())
    huge = tuple(
        replace(each, server=replace(each.server, output_tokens=10**200, output_ns=1)) for each in good.records
    )
    (found,) = envelope(run(result("a", None, replace(good, records=huge * 2)))).models
    assert "ttft" in found.cells[0].metrics
    assert read_model(as_text(found)) == found


def test_no_data_at_all() -> None:
    assert read_envelope(as_text(envelope(run()))).models == ()
    nothing = Cell(CellPlan(), Settings(), (), 0, 0, stopped="the depth does not fit")
    (found,) = envelope(run(result("a", None, nothing))).models
    assert (found.cells[0].attempts, found.cells[0].stopped) == (0, "the depth does not fit")


def _changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    whole = orjson.loads(as_text(envelope(run(result("a")))))
    change(whole)
    return orjson.dumps(whole)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "EOF"),
        ("[]", "object"),
        ("{}", "run"),
        ("null", "object"),
        ("[" * 100_000, "recursion"),
        ('{"schema": "puna.meter/3", "run": {"id": "", "started_at": ""}}', "schema"),
        ('{"run": {"id": "", "started_at": "", "seed": NaN}}', "seed"),
        ('{"run": {"id": "' + "x" * 5000 + '", "started_at": ""}}', "run.id"),
    ],
)  # fmt: skip
def test_T08_what_is_no_envelope_is_refused_in_one_line(text: str, named: str) -> None:
    with pytest.raises(BadRequest, match=named) as caught:
        read_envelope(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def _figure(whole: dict[str, Any]) -> dict[str, Any]:
    return whole["models"][0]["cells"][0]["metrics"]["decode"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda whole: _figure(whole).update(basis="guess"), "decode.basis"),
        (lambda whole: _figure(whole).update(ci95=[1]), "decode.ci95"),
        (lambda whole: _figure(whole).update(n=-1), "decode.n"),
        (lambda whole: whole["models"][0].update(size_bytes=1e400), "size_bytes"),
        (lambda whole: whole["models"][0].update(cells=[{}] * 10_001), "cells"),
        (lambda whole: whole.update(models=[{"name": "a"}] * 10_001), "models"),
    ],
    ids=["basis", "interval", "count", "size", "cells", "models"],
)
def test_T08_fields_of_a_strangers_file_are_checked(change: Callable[[dict[str, Any]], object], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        read_envelope(_changed(change))


def test_T08_a_file_may_not_be_endless() -> None:
    with pytest.raises(BadRequest, match="larger than 64 MiB"):
        read_envelope(b" " * (MAX_BYTES + 1))


def test_unknown_fields_are_left_out_so_that_newer_files_can_be_read() -> None:
    text = _changed(lambda whole: whole.update(later={"x": 1}))
    assert read_envelope(text) == envelope(run(result("a")))


def test_infinite_numbers_in_a_file_are_refused() -> None:
    text = as_text(envelope(run(result("a")))).replace('"mean": ', '"mean": Infinity, "was": ', 1)
    with pytest.raises(BadRequest, match=r"mean"):
        read_envelope(text)


def test_raw_has_every_request_with_the_arrival_of_each_chunk() -> None:
    made = replace(result(EVIL), cold=result(EVIL).warm_up)
    lines = [orjson.loads(line) for line in raw_lines(run(made, broken("b\udcff")))]
    assert len(lines) == 2 + 5 + 3
    assert all("\n" not in line for line in raw_lines(run(made)))
    first = lines[2]
    assert first["model"] == EVIL
    assert first["cell"] == {"depth": 0, "concurrency": 1, "arrival": "closed", "rate": None, "batch": 1, "seed": 0}
    assert first["settings"]["num_predict"] == 64
    assert first["server"]["output_tokens"] == len(first["chunks"]) == 64
    ats = [at for at, part, characters in first["chunks"] if (part, characters) == ("answer", 4)]
    assert ats == sorted(ats)
    assert all(isinstance(at, int) for at in ats)
    assert lines[-1]["error"].startswith("model requires")
    assert "cell" not in lines[0]


def test_listed_models_of_hostile_servers_are_kept_verbatim_where_they_fit() -> None:
    made = replace(
        result("a"),
        model=listed(
            EVIL,
            details={"parameter_size": EVIL, "quantization_level": 7},
            model_info={"x.context_length": 10**30},
            capabilities=None,
        ),
    )
    (found,) = envelope(run(made)).models
    assert (found.name, found.quant, found.capabilities) == (EVIL, "", None)
    assert read_model(as_text(found)) == found
