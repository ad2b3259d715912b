"""What a reader must know about a cell, and how much of it was good enough."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from puna.errors import BadRequest
from puna.meter.arrivals import arrivals
from puna.meter.cell import Cell, ModelResult
from puna.meter.flags import flags, is_disputed
from puna.meter.lag import TICK_NS, LoopLag, lag_p99
from puna.meter.plan import Arrival, CellPlan, ListedModel, Settings
from puna.meter.records import RequestRecord, Stamp
from puna.meter.slo import PRESETS, Slo, goodput, parse_slo
from puna.meter.text import passage, word_count
from puna.meter.useful import SHAPES, AnswerTime, Shape, answer_time
from tests.meter.test_metric_formulas import MS, SERVER, cell, record


def flagged(made: Cell, warm_up: RequestRecord | None = None) -> tuple[str, ...]:
    warm_up = warm_up or record(warm_up=True)
    return flags(made, ModelResult(ListedModel("local", "m"), (made,), warm_up=warm_up))


def test_a_good_cell_has_no_flags() -> None:
    assert flagged(cell(record(), record())) == ()


def test_cached_prompts_are_flagged() -> None:
    assert flagged(cell(record(), record(repeated=True))) == ("cached",)
    inflated = record(server=replace(SERVER, prompt_ns=1 * MS))  # a hundred times the others' rate
    assert flagged(cell(record(), record(), inflated)) == ("cached",)


def test_cold_loads_are_flagged() -> None:
    cold = record(server=replace(SERVER, load_ns=5000 * MS))
    assert flagged(cell(record(), record(), cold)) == ("cold",)
    alone = cell(cold)
    assert flags(alone, ModelResult(ListedModel("local", "m"), (alone,))) == ("cold",)


def test_short_contended_and_unstable_are_flagged() -> None:
    slow = record(server=replace(SERVER, output_ns=1500 * MS))
    made = cell(record(), slow, settings=Settings(num_predict=20), contended=True)
    assert flagged(made) == ("short", "contended", "unstable")


def test_a_server_whose_rate_is_not_what_arrived_is_disputed() -> None:
    stamps = tuple(Stamp((100 + 50 * index) * MS, "answer", 5) for index in range(20))
    honest = record(stamps=stamps, server=replace(SERVER, output_tokens=20, output_ns=950 * MS))
    liar = replace(honest, server=replace(SERVER, output_tokens=20, output_ns=95 * MS))
    assert (is_disputed(honest), is_disputed(liar)) == (False, True)
    assert flagged(cell(liar)) == ("disputed",)


@pytest.mark.parametrize("name", PRESETS)
def test_M17_presets(name: str) -> None:
    assert parse_slo(name) is PRESETS[name]


def test_M17_limits_are_milliseconds() -> None:
    assert parse_slo("ttft:450, tpot:40") == Slo({"ttft": 450.0, "tpot": 40.0})


@pytest.mark.parametrize(
    "text", ["", "fast", "ttft", "ttft:", "ttft:-1", "ttft:nan", "ttft:inf", "speed:3", "ttft:1,,"]
)
def test_M17_bad_limits_are_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="is no limit"):
        parse_slo(text)


def test_M17_goodput_counts_requests_that_meet_every_limit() -> None:
    made = cell(record(), record(error="no"), record(stamps=(Stamp(600 * MS, "answer", 5),)), wall_ms=2000)
    found = goodput(made, Slo({"ttft": 300, "tpot": 60}))
    assert found is not None
    assert (found.per_second, found.fraction) == (pytest.approx(0.5), pytest.approx(1 / 3))
    assert goodput(cell(), PRESETS["chat"]) is None


def test_the_time_to_a_useful_answer() -> None:
    """M3 0.5 s, decode 22 tokens/s, prefill 400 tokens/s, prompts of 40 tokens."""
    assert answer_time(cell(record()), Shape(40, 22)) == AnswerTime(pytest.approx(1.5), estimated=False)
    assert answer_time(cell(record()), Shape(440, 22)) == AnswerTime(pytest.approx(2.5), estimated=True)
    assert answer_time(cell(record(error="no")), SHAPES["chat"]) is None
    assert SHAPES["chat"].title == "1k in, 300 out"


@pytest.mark.parametrize(("arrival", "shape"), [("constant", None), ("poisson", None), ("gamma", 4.0), ("gamma", 0.25)])
def test_arrivals_keep_their_rate_and_their_seed(arrival: Arrival, shape: float | None) -> None:
    plan = CellPlan(arrival=arrival, shape=shape, rate=5, seed=3)
    times = list(arrivals(plan, 4000))
    assert times == list(arrivals(plan, 4000))
    assert times[0] == 0
    assert times == sorted(times)
    assert times[-1] / 3999 == pytest.approx(0.2, rel=0.1)
    gaps = [after - before for before, after in pairwise(times)]
    spread = (sum((gap - 0.2) ** 2 for gap in gaps) / len(gaps)) ** 0.5 / 0.2
    wanted = 0 if arrival == "constant" else 1 / (shape or 1) ** 0.5
    assert spread == pytest.approx(wanted, abs=0.1 + 0.1 * wanted)


def test_arrivals_of_a_duration_end_with_it() -> None:
    assert list(arrivals(CellPlan(arrival="constant", rate=10, duration_s=0.35), 1)) == pytest.approx(
        [0, 0.1, 0.2, 0.3]
    )


async def test_a_stall_counts_for_every_tick_that_it_swallowed() -> None:
    import time

    samples: list[int] = []
    async with LoopLag(samples):
        time.sleep(0.1)
    assert len(samples) >= 9
    assert max(samples) >= 80_000_000
    assert sorted(samples, reverse=True) == samples
    assert samples[0] - samples[1] == TICK_NS


def test_lag_p99_of_few_samples_is_their_largest() -> None:
    assert (lag_p99([]), lag_p99([3, 9, 1]), lag_p99([1] * 199 + [100])) == (0, 9, 1)


def test_passages_are_as_long_as_asked_and_differ_from_the_start() -> None:
    assert [word_count(passage("a", words)) for words in (0, 2, 7, 1000)] == [2, 2, 7, 1000]
    assert passage("a", 50) == passage("a", 50)
    assert passage("a", 2) != passage("b", 2)
