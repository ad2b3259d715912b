"""A measurement of several models: who is asked when, what is thrown away, and what stays after an interruption."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from puna.client.timed import TimedClient
from puna.meter import retrying, saturation
from puna.meter.cell import Cell, Loaded, ModelResult
from puna.meter.events import Event, ModelEnded, ModelStarted, RequestEnded
from puna.meter.listing import described, list_models
from puna.meter.measure import Measurement
from puna.meter.metrics import schedule_delay
from puna.meter.plan import CellPlan, Plan, Settings, Target
from puna.meter.statistics import summary
from tests.meter.synthetic import TEMPLATE_TOKENS, Script, Synthetic, running

QUICK = Script(ttft_s=0.004, gap_s=0.001, tokens=4)
ONE = CellPlan(prompts=("one",))


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.001)


async def measured(
    synthetic: Synthetic, plan: Plan, *, native: bool = True
) -> tuple[list[Event], tuple[ModelResult, ...]]:
    async with running(synthetic) as endpoint, TimedClient(endpoint) as client:
        target = Target("local", endpoint, native)
        models = await described(client, target, await list_models(client, target, _unexpected))
        measurement = Measurement(client, target, models, plan)
        events = [event async for event in measurement.events()]
        return events, measurement.results()


def _unexpected(warning: str) -> None:
    raise AssertionError(warning)


def prompts(synthetic: Synthetic, model: str) -> list[str]:
    return [body["messages"][0]["content"] for body in synthetic.bodies("/api/chat") if body["model"] == model]


def cell_of(results: tuple[ModelResult, ...], index: int = 0) -> Cell:
    return results[0].cells[index]


async def test_models_go_in_the_order_of_their_tags_and_prompts_one_after_another() -> None:
    synthetic = Synthetic({"a": QUICK, "b": QUICK})
    events, results = await measured(synthetic, Plan((CellPlan(prompts=("one", "two")),)))
    assert synthetic.models_asked() == ["a"] * 3 + ["b"] * 3
    assert prompts(synthetic, "a")[1:] == ["one", "two"]
    assert synthetic.at_once == {"a": 1, "b": 1}
    assert [type(event) for event in events] == [ModelStarted, *[RequestEnded] * 3, ModelEnded] * 2
    assert [result.model.name for result in results] == ["a", "b"]
    assert [record.prompt for record in cell_of(results).records] == ["one", "two"]


async def test_the_warm_up_is_another_prompt_of_the_same_length_and_takes_the_cold_load() -> None:
    synthetic = Synthetic({"a": QUICK})
    _, results = await measured(synthetic, Plan((CellPlan(prompts=("why is the sky so blue today?",)),)))
    warm_up = results[0].warm_up
    assert warm_up is not None
    first, second = prompts(synthetic, "a")
    assert first != second
    assert len(first.split()) == pytest.approx(len(second.split()), abs=2)
    assert (warm_up.warm_up, warm_up.server.load_ns) == (True, 500_000_000)
    assert [record.server.load_ns for record in cell_of(results).records] == [1_000_000]
    assert synthetic.bodies("/api/chat")[0]["options"] == {"num_predict": 32}


async def test_without_a_warm_up_the_first_run_carries_the_load() -> None:
    """As the reference measures."""
    _, results = await measured(Synthetic({"a": QUICK}), Plan((ONE,), warm_up=False))
    assert results[0].warm_up is None
    assert cell_of(results).records[0].server.load_ns == 500_000_000


async def test_M23_memory_is_read_after_the_warm_up() -> None:
    _, results = await measured(Synthetic({"a": QUICK}), Plan((ONE,)))
    assert results[0].loaded == Loaded(size=1000, size_vram=400, context_length=4096)


async def test_M21_cold_unloads_first_and_stays_out_of_the_cells() -> None:
    synthetic = Synthetic({"a": QUICK}, loaded=["a"])
    _, results = await measured(synthetic, Plan((ONE,), cold=True))
    assert synthetic.bodies("/api/generate") == [{"model": "a", "keep_alive": "0s"}]
    cold = results[0].cold
    assert cold is not None
    assert (cold.cold, cold.server.load_ns) == (True, 500_000_000)
    assert len(cell_of(results).records) == 1


async def test_a_model_that_fails_does_not_sink_the_others() -> None:
    synthetic = Synthetic(
        {"bad": Script(refusals=(400,) * 9), "good": QUICK, "broken": Script(tokens=2, trick="breaks off")}
    )
    _, results = await measured(synthetic, Plan((ONE,)))
    assert [result.error for result in results] == ["try again later", None, "Stream ended without completion"]


async def test_models_of_several_rounds_take_turns_in_being_first() -> None:
    synthetic = Synthetic({"a": QUICK, "b": QUICK, "c": QUICK})
    events, results = await measured(synthetic, Plan((replace(ONE, repeats=3),), warm_up=False))
    assert "".join(synthetic.models_asked()) == "abc" + "bca" + "cab"
    assert [event.result.model.name for event in events if isinstance(event, ModelEnded)] == ["c", "a", "b"]
    assert [len(result.cells[0].records) for result in results] == [3, 3, 3]


async def test_a_model_that_others_pushed_out_of_memory_is_warmed_up_again() -> None:
    synthetic = Synthetic({"a": QUICK, "b": QUICK}, places=1)
    _, results = await measured(synthetic, Plan((replace(ONE, repeats=2),)))
    loads = [record.server.load_ns for result in results for record in result.cells[0].records]
    assert loads == [1_000_000] * 4


async def test_rounds_of_a_cell_follow_one_another_on_its_clock() -> None:
    """What another model did in between is not this one's time."""
    synthetic = Synthetic({"quick": QUICK, "slow": Script(ttft_s=0.3, tokens=1)})
    _, results = await measured(synthetic, Plan((replace(ONE, repeats=3),), warm_up=False))
    first, second, third = cell_of(results).records
    assert first.send_ns + first.end_ns <= second.send_ns
    assert second.send_ns + second.end_ns <= third.send_ns
    assert cell_of(results).wall_ns < 0.3e9


async def test_parallel_models_run_side_by_side_and_say_so() -> None:
    slow = Script(ttft_s=0.15, tokens=1)
    synthetic = Synthetic({"a": slow, "b": slow})
    _, results = await measured(
        synthetic, Plan((CellPlan(prompts=("one", "two", "three")),), parallel=2, warm_up=False)
    )
    spans = [result.cells[0].records for result in results]
    assert max(records[0].started_at for records in spans) < min(records[-1].started_at for records in spans)
    assert [result.cells[0].contended for result in results] == [True, True]
    assert synthetic.at_once == {"a": 1, "b": 1}


async def test_concurrent_users_share_the_work() -> None:
    synthetic = Synthetic({"a": Script(ttft_s=0.05, tokens=2)})
    _, results = await measured(synthetic, Plan((replace(ONE, concurrency=4, repeats=2),), warm_up=False))
    assert synthetic.at_once == {"a": 4}
    assert len(cell_of(results).records) == 8


async def test_depth_is_calibrated_and_every_context_is_new() -> None:
    synthetic = Synthetic({"a": QUICK})
    deep = CellPlan(prompts=("one", "two"), depth=800, repeats=2)
    _, results = await measured(synthetic, Plan((deep,)))
    counts = [record.server.prompt_tokens or 0 for record in cell_of(results).records]
    assert len(counts) == 4
    assert all(count == pytest.approx(800 + TEMPLATE_TOKENS, rel=0.03) for count in counts)
    starts = {text[:20] for text in prompts(synthetic, "a")}
    assert len(starts) == len(prompts(synthetic, "a"))
    assert all(text.endswith(("\n\none", "\n\ntwo")) for text in prompts(synthetic, "a")[2:])


async def test_depths_stop_at_what_the_server_allocated() -> None:
    cells = tuple(CellPlan(prompts=("one",), depth=depth) for depth in (0, 500, 4000))
    synthetic = Synthetic({"a": QUICK}, context=1024)
    _, results = await measured(synthetic, Plan(cells))
    assert [len(cell.records) for cell in results[0].cells] == [1, 1, 0]
    assert "do not fit into the context of 1024" in cell_of(results, 2).stopped


async def test_unique_prompts_differ_from_their_first_words_on() -> None:
    synthetic = Synthetic({"a": QUICK})
    _, results = await measured(synthetic, Plan((replace(ONE, repeats=3),), unique_prompts=True))
    texts = prompts(synthetic, "a")[1:]
    assert len({text[:15] for text in texts}) == 3
    assert all(text.endswith("\n\none") for text in texts)
    assert not any(record.repeated for record in cell_of(results).records)


async def test_a_text_that_was_sent_before_is_marked() -> None:
    _, results = await measured(Synthetic({"a": QUICK}), Plan((replace(ONE, repeats=2),)))
    assert [record.repeated for record in cell_of(results).records] == [False, True]
    prefill = summary(cell_of(results), "prefill")
    assert prefill is not None
    assert (prefill.n, prefill.ok) == (1, 2)


async def test_an_answer_that_ends_early_is_replaced_by_another_prompts() -> None:
    synthetic = Synthetic({"a": replace(QUICK, trick="stops early")})
    plan = Plan((ONE,), Settings(num_predict=20), warm_up=False, unique_prompts=True)
    _, results = await measured(synthetic, plan)
    assert len(set(prompts(synthetic, "a"))) == 4
    assert [record.attempts for record in cell_of(results).records] == [4]


async def test_an_open_loop_sends_at_its_rate_whatever_the_answers_take() -> None:
    synthetic = Synthetic({"a": Script(ttft_s=0.3, tokens=1)})
    plan = CellPlan(prompts=("one",), repeats=8, arrival="constant", rate=40)
    _, results = await measured(synthetic, Plan((plan,), warm_up=False))
    records = cell_of(results).records
    assert [record.intended_ns for record in records] == [index * 25_000_000 for index in range(8)]
    assert all((schedule_delay(record) or 0) >= 0 for record in records)
    assert synthetic.at_once["a"] == 8


@pytest.mark.parametrize("rate", [None, 50.0])
async def test_a_duration_replaces_the_count(rate: float | None) -> None:
    plan = CellPlan(prompts=("one", "two"), rate=rate, arrival="poisson", duration_s=0.3)
    _, results = await measured(Synthetic({"a": QUICK}), Plan((plan,), warm_up=False))
    records = cell_of(results).records
    assert len(records) > 2
    assert records[-1].send_ns < 0.3e9 + 0.2e9


async def test_an_over_saturated_endpoint_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("puna.meter.cellrun.over_saturated", lambda answers: len(answers) > 3)
    monkeypatch.setattr("puna.meter.cellrun._LOOK_S", 0.0)
    plan = CellPlan(prompts=("one",), rate=100, arrival="constant", duration_s=60)
    _, results = await measured(Synthetic({"a": QUICK}), Plan((plan,), warm_up=False))
    assert cell_of(results).stopped == "the endpoint is over-saturated at 100 requests per second"


def test_over_saturation_is_growth_of_both_queue_and_first_token() -> None:
    def answers(slope: float) -> list[saturation.Answered]:
        return [saturation.Answered(t, 2 + int(slope * t), 3 + slope * t + 0.1 * (t % 3)) for t in range(60)]

    assert saturation.over_saturated(answers(0.2))
    assert not saturation.over_saturated(answers(0.0))
    assert not saturation.over_saturated(answers(0.2)[:20])  # too early


async def test_embedding_models_are_asked_for_embeddings_in_batches() -> None:
    synthetic = Synthetic({"e": Script(capabilities=("embedding",))})
    _, results = await measured(synthetic, Plan((replace(ONE, batch=1), replace(ONE, batch=8))))
    bodies = synthetic.bodies("/api/embed")[1:]
    assert bodies[0]["input"] == "one"
    assert len(set(bodies[1]["input"])) == 8
    assert [cell.records[0].vector_length for cell in results[0].cells] == [16, 16]


async def test_where_embedding_models_are_asked_to_chat_they_are() -> None:
    """The reference's rule for the cloud (§6)."""
    synthetic = Synthetic({"e": Script(tokens=2, capabilities=("embedding",))})
    async with running(synthetic) as endpoint, TimedClient(endpoint) as client:
        target = Target("cloud", endpoint, embeds=False)
        models = await described(client, target, await list_models(client, target, _unexpected))
        async for _ in Measurement(client, target, models, Plan((ONE,))).events():
            pass
    assert len(synthetic.bodies("/api/chat")) == 2


async def test_an_openai_endpoint_is_measured_by_the_clock() -> None:
    _, results = await measured(Synthetic({"m": QUICK}, native=False), Plan((ONE,)), native=False)
    decode = summary(cell_of(results), "decode")
    assert decode is not None
    assert (decode.basis, results[0].loaded, results[0].error) == ("client", None, None)


async def test_C9_leaving_early_keeps_what_was_measured() -> None:
    slow = Script(ttft_s=0.02, tokens=1)
    synthetic = Synthetic({"a": slow, "b": Script(trick="endless"), "c": slow})
    async with running(synthetic) as endpoint, TimedClient(endpoint) as client:
        target = Target("local", endpoint)
        models = await list_models(client, target, _unexpected)
        measurement = Measurement(client, target, models, Plan((CellPlan(prompts=("one", "two")),), warm_up=False))
        async with aclosing(measurement.events()) as events:
            async for event in events:
                if isinstance(event, ModelStarted) and event.model.name == "b":
                    break
    assert [(result.model.name, len(result.cells[0].records)) for result in measurement.results()] == [("a", 2)]


async def test_C9_a_cancellation_keeps_what_was_measured() -> None:
    synthetic = Synthetic({"a": QUICK, "b": Script(trick="endless")})
    async with running(synthetic) as endpoint, TimedClient(endpoint) as client:
        target = Target("local", endpoint)
        models = await list_models(client, target, _unexpected)
        measurement = Measurement(client, target, models, Plan((ONE,), warm_up=False))
        b_began = asyncio.Event()

        async def drive() -> None:
            async for event in measurement.events():
                if isinstance(event, ModelStarted) and event.model.name == "b":
                    b_began.set()

        task = asyncio.create_task(drive())
        await b_began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [result.model.name for result in measurement.results()] == ["a"]
    assert synthetic.working.get("b", 0) == 0  # the connection was closed


async def test_a_good_cell_is_not_void_and_a_busy_meter_voids_it() -> None:
    synthetic = Synthetic({"a": Script(ttft_s=0.1, tokens=2)})
    busy = asyncio.create_task(_hog())
    _, results = await measured(synthetic, Plan((replace(ONE, repeats=2),), warm_up=False))
    busy.cancel()
    assert "the meter itself lagged by" in cell_of(results).void
    assert replace(cell_of(results), lag_p99_ns=4_900_000).void == ""


async def _hog() -> None:
    """Blocks the event loop for 30 ms again and again."""
    import time

    while True:
        time.sleep(0.03)
        await asyncio.sleep(0.001)
