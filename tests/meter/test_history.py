"""Measurements are kept by model and run, and a new one is compared with what is like it."""

from __future__ import annotations

import orjson
import pytest

from puna.errors import DatabaseFailed
from puna.meter.history import Baseline, History, HistoryRow, alike


def row(number: int, model: str = "m", **fields: object) -> HistoryRow:
    return HistoryRow(f"id{number}", f"2026-01-{number:02}T00:00:00+00:00", model, **fields)  # type: ignore[arg-type]


def ids(found: list[HistoryRow]) -> list[str]:
    return [each.id for each in found]


def test_a_row_comes_back_as_it_was_kept(history: History) -> None:
    kept = HistoryRow(
        id="1", timestamp="t", model_name="a[bold]b", model_size="7B", quantization="Q4_0", capabilities="tools",
        mode="local", error="it failed", context_length=4096, num_predict=5, parallel=1, ttft=0.1, tps=1e-9,
        prompts='["why?","ünïcode \\u0000"]', run_id="r", alike="k", result="{}",
    )  # fmt: skip
    history.save(kept)
    assert history.newest() == [kept]


def test_C3_all_runs_of_a_model_are_listed_newest_first(history: History) -> None:
    for number in (2, 3, 1):
        history.save(row(number))
    history.save(row(4, "other"))
    assert ids(history.newest()) == ["id4", "id3"]
    assert ids(history.newest(per_model=20)) == ["id4", "id3", "id2", "id1"]
    assert ids(history.newest(["m"], per_model=2)) == ["id3", "id2"]
    assert ids(history.newest(["M", "m%", ""])) == []
    assert sorted(history.names()) == ["m", "other"]


def test_C1_the_baseline_is_the_newest_record_at_first_and_the_median_of_five_later(history: History) -> None:
    assert history.baseline("k") is None
    history.save(row(1, ttft=9.0, tps=None, alike="k"))
    assert history.baseline("k") == Baseline(9.0, None)
    for number, tps in enumerate([5.0, 4.0, 3.0, 2.0, 1.0], start=2):
        history.save(row(number, ttft=1.0, tps=tps, alike="k"))
    assert history.baseline("k") == Baseline(1.0, 3.0)


def test_C1_a_run_that_failed_is_no_baseline(history: History) -> None:
    history.save(row(1, ttft=1.0, alike="k"))
    history.save(row(2, ttft=None, alike="k", error="it failed"))
    assert history.baseline("k") == Baseline(1.0, None)


@pytest.mark.parametrize(
    "other",
    [{"url": "x"}, {"digest": "x"}, {"prompts": ["b", "a"]}, {"num_predict": 9}, {"think": True}, {"parallel": 2}],
    ids=lambda other: next(iter(other)),
)
def test_C2_only_what_was_measured_alike_is_compared(other: dict[str, object]) -> None:
    same: dict[str, object] = {
        "url": "u", "digest": "d", "prompts": ["a", "b"], "num_predict": None, "think": None, "parallel": 1,
    }  # fmt: skip
    assert alike(**same) == alike(**same)  # type: ignore[arg-type]
    assert alike(**same) != alike(**{**same, **other})  # type: ignore[arg-type]


def test_the_rows_of_a_run_are_found_by_the_start_of_its_id(history: History) -> None:
    history.save(row(1, run_id="abc"))
    history.save(row(2, run_id="abd"))
    history.save(row(3, "n", run_id="abd"))
    history.save(row(4))
    assert ids(history.run("abd")) == ["id2", "id3"]
    assert ids(history.run("ab")) == ["id1", "id2", "id3"]
    assert history.run("a_") == history.run("%") == []
    assert history.run_ids() == ["abd", "abc"]


def test_prompts_that_cannot_be_read_are_unknown() -> None:
    assert row(1, prompts=orjson.dumps(["a"]).decode()).prompt_list == ["a"]
    assert [row(1, prompts=text).prompt_list for text in (None, "", "{", "5")] == [None] * 4


def test_an_id_is_kept_once(history: History) -> None:
    history.save(row(1))
    with pytest.raises(DatabaseFailed):
        history.save(row(1, "other"))
    assert ids(history.newest()) == ["id1"]
