"""Every formula of the contract's §17 on records written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from puna.meter import metrics, throughput
from puna.meter.cell import Cell, Loaded
from puna.meter.metrics import METRICS
from puna.meter.plan import CellPlan, Settings
from puna.meter.records import RequestRecord, ServerTimings, Stamp
from puna.meter.reference import reference_tps, reference_ttft

MS = 1_000_000
SERVER = ServerTimings(
    total_ns=1000 * MS, load_ns=50 * MS, prompt_tokens=40, prompt_ns=100 * MS, output_tokens=11, output_ns=500 * MS
)


def record(**fields: object) -> RequestRecord:
    """Thinking at 200 and 300 ms, the answer at 500 and 700 ms, eleven tokens in all."""
    stamps = tuple(
        Stamp(at * MS, part, 10)
        for at, part in ((200, "thinking"), (300, "thinking"), (500, "answer"), (700, "answer"))
    )
    made = RequestRecord(
        "model", "local", "chat", "why?", "2026-01-01T00:00:00+00:00",
        headers_ns=120 * MS, first_chunk_ns=150 * MS, stamps=stamps, end_ns=750 * MS, server=SERVER,
    )  # fmt: skip
    return replace(made, **fields)


def cell(*records: RequestRecord, wall_ms: int = 1000, **fields: object) -> Cell:
    return replace(Cell(CellPlan(), Settings(), records, wall_ms * MS, 0), **fields)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("M1 ttft", 0.2),
        ("M2 first_response", 0.15),
        ("M3 first_answer", 0.5),
        ("M4 second_token", 0.1),
        ("M5 latency", 0.7),
        ("M6 tpot", 0.05),
        ("M7 normalised_tpot", 0.7 / 11),
        ("M9 tokens_per_chunk", 10 / 3),
        ("M10 decode_client", 20.0),
        ("M11 decode_server", 22.0),
        ("M12 prefill_server", 400.0),
        ("M13 prefill_client", 200.0),
        ("M14 output_rate", 11 / 0.7),
        ("M20 stream_setup", 0.12),
        ("M20 pure_ttft", 0.08),
        ("M21 load", 0.05),
        ("M22 residual", 0.35),
        ("M24 thinking_share", 0.5),
        ("M8 gaps", [0.1, 0.2, 0.2]),
        ("§22 characters_rate", 60.0),
    ],
)
def test_a_formula_of_17(metric: str, value: float) -> None:
    assert getattr(metrics, metric.split()[1])(record()) == pytest.approx(value)


def test_M19_an_open_loop_counts_from_the_intended_send() -> None:
    late = record(intended_ns=100 * MS, send_ns=130 * MS)
    assert metrics.schedule_delay(late) == pytest.approx(0.03)
    assert metrics.queued_latency(late) == pytest.approx(0.73)
    assert metrics.schedule_delay(record()) is None


def test_M20_network_adjusted_is_never_below_zero() -> None:
    assert metrics.adjusted_ttft(record(), 0.05) == pytest.approx(0.15)
    assert metrics.adjusted_ttft(record(), 0.5) == 0


def test_M23_share_and_spill() -> None:
    assert (Loaded(1000, 400, 0).gpu_share, Loaded(1000, 400, 0).spill) == (0.4, 600)
    assert Loaded(0, 0, 0).gpu_share is None


def test_M25_length_mismatch() -> None:
    assert metrics.length_mismatch(record(), 22) == pytest.approx(-0.5)
    assert metrics.length_mismatch(record(), None) is None


def test_M26_draft_acceptance() -> None:
    assert metrics.draft_acceptance(record(server=ServerTimings(drafted_tokens=8, accepted_tokens=6))) == 0.75


def test_M28_an_embedding_is_rated_without_its_load() -> None:
    said = ServerTimings(total_ns=300 * MS, load_ns=100 * MS, prompt_tokens=50)
    embedded = record(kind="embed", stamps=(), server=said, inputs=8, end_ns=400 * MS)
    assert metrics.embedding_rate(embedded) == pytest.approx(250)
    assert metrics.embedding_inputs(embedded) == pytest.approx(20)
    assert metrics.ttft(embedded) == metrics.latency(embedded) == pytest.approx(0.4)
    assert throughput.embedding_throughput(cell(embedded, embedded)) == pytest.approx((16, 100))


def test_a_cached_prompt_gives_no_prefill_rate() -> None:
    """§21: the count covers cached tokens, the duration does not."""
    assert metrics.prefill_server(record(repeated=True)) is None
    assert metrics.prefill_server(record(server=replace(SERVER, cached_tokens=30))) is None
    assert metrics.prefill_server(record(server=replace(SERVER, cached_tokens=10), repeated=True)) == pytest.approx(300)


@pytest.mark.parametrize("key", METRICS)
def test_an_answer_without_anything_gives_no_value_and_no_error(key: str) -> None:
    empty = RequestRecord("model", "local", "chat", "why?", "2026-01-01T00:00:00+00:00")
    metric = METRICS[key]
    for formula in (metric.client, metric.server):
        assert formula is None or formula(empty) in (None, [])


def test_without_counts_chunks_are_counted() -> None:
    uncounted = record(server=ServerTimings(), basis="estimated")
    assert metrics.output_tokens(uncounted) == 4
    assert metrics.decode_client(uncounted) == pytest.approx(6)
    assert metrics.decode_server(uncounted) is None


def test_M15_to_M18_and_M27_of_a_cell() -> None:
    second, failed = record(send_ns=500 * MS), record(send_ns=600 * MS, error="no", end_ns=100 * MS)
    made = cell(record(), second, failed, wall_ms=2000)
    assert throughput.output_throughput(made) == pytest.approx(11)
    assert throughput.total_throughput(made) == pytest.approx(51)
    assert throughput.request_throughput(made) == pytest.approx(1)
    assert throughput.peak_concurrency(made) == 3
    assert throughput.mean_concurrency(made) == pytest.approx(0.8)
    assert throughput.peak_output_rate(made) == pytest.approx(11 * 6 / 4)  # all of the first, two chunks of the second
    assert throughput.error_rate(made) == pytest.approx(1 / 3)
    assert throughput.failures(made) == {"no": 1}


def test_M31_rates_of_requests_that_went_together() -> None:
    made = cell(record(), record(send_ns=10 * MS))
    prefill, decode = throughput.batched_rates(made) or (0, 0)
    assert prefill == pytest.approx(80 / 0.21)
    assert decode == pytest.approx(22 / 0.5)
    assert throughput.batched_rates(cell(record(), record(send_ns=700 * MS))) is None


def test_pooled_rates_are_sums_over_sums() -> None:
    slow = record(server=replace(SERVER, output_ns=1500 * MS, prompt_ns=300 * MS))
    assert throughput.pooled_decode(cell(record(), slow)) == pytest.approx(11)
    assert throughput.pooled_prefill(cell(record(), slow)) == pytest.approx(200)


def test_16_fifty_tokens_in_half_a_second_are_100_tps() -> None:
    said = reference_tps(record(server=ServerTimings(output_tokens=50, output_ns=5 * 10**8)))
    assert said is not None
    assert (said.value, said.of_total) == (100.0, False)


def test_C16_the_total_duration_stands_in_and_is_marked() -> None:
    said = reference_tps(record(server=ServerTimings(output_tokens=50, output_ns=0, total_ns=10**9)))
    assert said is not None
    assert (said.value, said.of_total) == (50.0, True)
    assert reference_tps(record(server=ServerTimings(), stamps=())) is None


def test_the_reference_takes_thinking_for_a_first_token_only_where_the_model_thinks() -> None:
    assert reference_ttft(record(), thinks=True) == pytest.approx(0.2)
    assert reference_ttft(record(), thinks=False) == pytest.approx(0.5)
    assert reference_ttft(record(stamps=(Stamp(5, "tool", 3),)), thinks=True) is None
