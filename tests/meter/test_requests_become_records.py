"""One request, one record: exact counts, times near the endpoint's truth, and an error text whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from puna.client import Endpoint
from puna.client.timed import TimedClient
from puna.meter import request, retrying
from puna.meter.metrics import decode_client, decode_server, first_answer, thinking_share, ttft
from puna.meter.plan import Settings, Target
from puna.meter.records import Kind, RequestRecord
from puna.meter.request import Ask, Clock, send
from tests.meter.synthetic import TEMPLATE_TOKENS, Script, Synthetic, running

LATE_S = 0.25  # how much later than the truth a stamp may be on a machine that does other things
QUESTION = "why is the sky blue?"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.001)


@asynccontextmanager
async def at(synthetic: Synthetic, *, native: bool = True) -> AsyncIterator[tuple[TimedClient, Target]]:
    async with running(synthetic) as endpoint, TimedClient(endpoint) as client:
        yield client, Target("local", endpoint, native)


async def asked(
    script: Script,
    *,
    native: bool = True,
    kind: Kind = "chat",
    texts: tuple[str, ...] = (QUESTION,),
    **settings: object,
) -> RequestRecord:
    async with at(Synthetic({"m": script}), native=native) as (client, target):
        ask = Ask("m", kind, QUESTION, texts, Settings(**settings))
        return await send(client, target, ask, Clock.now())


@pytest.mark.parametrize("native", [True, False], ids=["ollama", "openai"])
async def test_counts_are_exact_and_times_are_true(native: bool) -> None:
    script = Script(ttft_s=0.1, gap_s=0.02, tokens=12)
    record = await asked(script, native=native)
    assert record.error is None
    assert (record.basis, record.attempts, record.done_reason) == ("server", 1, "length")
    assert len(record.stamps) == record.server.output_tokens == 12
    assert record.server.prompt_tokens == 5 + TEMPLATE_TOKENS
    assert 0.1 <= (ttft(record) or 0) < 0.1 + LATE_S
    span_s = (record.stamps[-1].at_ns - record.stamps[0].at_ns) / 1e9
    assert 11 * 0.02 - LATE_S < span_s < 11 * 0.02 + LATE_S
    assert all(after.at_ns >= before.at_ns for before, after in pairwise(record.stamps))
    assert record.stamps[-1].at_ns <= record.end_ns


async def test_a_slow_endpoint_and_a_fast_one_are_told_apart() -> None:
    slow, fast = await asked(Script(gap_s=0.04)), await asked(Script(gap_s=0.01))
    assert (decode_client(fast) or 0) > 2 * (decode_client(slow) or 0)
    assert decode_server(fast) == pytest.approx(8 / 0.07)


async def test_several_tokens_per_chunk_are_counted_by_the_server() -> None:
    record = await asked(Script(tokens=10, per_chunk=4))
    assert (len(record.stamps), record.server.output_tokens) == (3, 10)


@pytest.mark.parametrize("native", [True, False], ids=["ollama", "openai"])
async def test_thinking_comes_before_the_answer(native: bool) -> None:
    record = await asked(Script(tokens=8, thinking=4, gap_s=0.02), native=native)
    assert [stamp.part for stamp in record.stamps] == ["thinking"] * 4 + ["answer"] * 4
    assert (first_answer(record) or 0) > (ttft(record) or 0) + 0.04
    assert thinking_share(record) == 0.5


async def test_only_what_was_pinned_is_sent() -> None:
    synthetic = Synthetic({"m": Script(tokens=2)})
    async with at(synthetic) as (client, target):
        for settings in (Settings(), Settings(num_predict=3, num_ctx=512, seed=7, temperature=0, think=False)):
            await send(client, target, Ask("m", "chat", QUESTION, (QUESTION,), settings), Clock.now())
        openai = Target("vllm", target.endpoint, native=False)
        pinned = Settings(num_predict=3, seed=7, temperature=0.5, think="low")
        await send(client, openai, Ask("m", "chat", QUESTION, (QUESTION,), pinned), Clock.now())
    bare = {"model": "m", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    options = {"num_predict": 3, "num_ctx": 512, "seed": 7, "temperature": 0}
    assert synthetic.bodies("/api/chat") == [bare, {**bare, "options": options, "think": False}]
    assert synthetic.bodies("/v1/chat/completions") == [
        bare
        | {
            "stream_options": {"include_usage": True},
            "max_tokens": 3,
            "seed": 7,
            "temperature": 0.5,
            "reasoning_effort": "low",
        }
    ]


@pytest.mark.parametrize("native", [True, False], ids=["ollama", "openai"])
async def test_an_embedding_tells_its_length_and_its_texts(native: bool) -> None:
    record = await asked(Script(), native=native, kind="embed", texts=("one two", "three four five"))
    assert record.error is None
    assert (record.inputs, record.vector_length, record.server.prompt_tokens) == (2, 16, 5)
    assert ttft(record) == record.end_ns / 1e9


async def test_one_text_is_embedded_as_a_string() -> None:
    synthetic = Synthetic({"m": Script()})
    async with at(synthetic) as (client, target):
        await send(client, target, Ask("m", "embed", QUESTION, (QUESTION,), Settings()), Clock.now())
    assert synthetic.bodies("/api/embed") == [{"model": "m", "input": QUESTION}]


async def test_C7_the_next_request_uses_the_same_connection() -> None:
    synthetic = Synthetic({"m": Script(tokens=3)})
    async with at(synthetic) as (client, target):
        ask = Ask("m", "chat", QUESTION, (QUESTION,), Settings())
        records = [await send(client, target, ask, Clock.now()) for _ in range(3)]
    assert len(synthetic.peers) == 1
    assert [record.connect_ns is None for record in records] == [False, True, True]
    assert 0 < (records[0].connect_ns or 0) <= (records[0].headers_ns or 0)


async def test_C7_a_stream_that_hangs_after_its_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "DRAIN_S", 0.05)
    record = await asked(Script(trick="hangs after done"))
    assert record.error is None
    assert record.server.output_tokens == 8
    assert record.end_ns < 1e9


async def test_C8_the_timeout_is_a_wall_deadline_for_a_trickling_stream() -> None:
    record = await asked(Script(trick="endless", gap_s=0.01), timeout_s=0.3)
    assert record.error == "no complete answer within 0.3 s"
    assert record.attempts == 1
    assert 0.3 <= record.end_ns / 1e9 < 0.3 + LATE_S
    assert len(record.stamps) > 1  # what came is in the raw data


async def test_C5_a_timeout_before_the_first_byte_has_a_text() -> None:
    record = await asked(Script(trick="silent"), timeout_s=0.1)
    assert record.error == "no complete answer within 0.1 s"
    assert ttft(record) is None


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_busy_server_is_asked_again_and_the_clock_restarts(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.3 if status == 503 else 0.001)
    record = await asked(Script(ttft_s=0.01, refusals=(status,)))
    assert (record.error, record.attempts) == (None, 2)
    assert (ttft(record) or 0) < 0.01 + LATE_S  # the pause is not in it


async def test_the_pauses_double(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.02)
    began = asyncio.get_running_loop().time()
    record = await asked(Script(refusals=(503,) * 9))
    assert (record.error, record.attempts) == ("try again later", 4)
    assert asyncio.get_running_loop().time() - began >= 0.02 * (1 + 2 + 4)


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_a_refusal_is_final(status: int) -> None:
    record = await asked(Script(refusals=(status,)))
    assert (record.error, record.attempts) == ("try again later", 1)


@pytest.mark.parametrize("native", [True, False], ids=["ollama", "openai"])
async def test_an_error_inside_the_stream_is_final(native: bool) -> None:
    record = await asked(Script(trick="error inside"), native=native)
    assert (record.error, record.attempts) == ("the engine fell over", 1)


@pytest.mark.parametrize("trick", ["breaks off", "garbage"])
@pytest.mark.parametrize("native", [True, False], ids=["ollama", "openai"])
async def test_a_stream_without_an_end_is_asked_again(trick: str, native: bool) -> None:
    record = await asked(Script(tokens=4, trick=trick), native=native)  # type: ignore[arg-type]
    assert (record.error, record.attempts) == ("Stream ended without completion", 4)


@pytest.mark.parametrize("native", [True, False], ids=["ollama", "openai"])
async def test_garbage_between_good_lines_is_passed_over(native: bool) -> None:
    record = await asked(Script(trick="garbage inside"), native=native)
    assert record.error is None
    assert len(record.stamps) == record.server.output_tokens == 8


@pytest.mark.parametrize(
    ("trick", "text"), [("huge line", "longer than 8000000 bytes"), ("huge body", "larger than 64 MiB")]
)
async def test_an_answer_without_bounds_is_an_error(trick: str, text: str) -> None:
    record = await asked(Script(gap_s=0.0, trick=trick))  # type: ignore[arg-type]
    assert text in (record.error or "")
    assert record.attempts == 1


async def test_too_many_chunks_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("puna.meter.reading.MAX_CHUNKS", 5)
    record = await asked(Script())
    assert record.error == "the server's answer has more than 5 chunks"
    assert len(record.stamps) == 5


async def test_counts_that_cannot_be_are_taken_as_absent() -> None:
    record = await asked(Script(trick="lies"))
    assert record.error is None
    assert (record.server.output_tokens, record.server.output_ns, record.server.prompt_tokens) == (None, None, None)
    assert record.basis == "estimated"
    assert (decode_client(record) or 0) > 0  # from the chunks


@pytest.mark.parametrize("native", [True, False], ids=["ollama", "openai"])
async def test_a_server_that_counts_nothing_has_its_chunks_counted(native: bool) -> None:
    record = await asked(Script(trick="counts nothing"), native=native)
    assert record.error is None
    assert record.basis == "estimated"
    assert record.server.output_tokens is None


async def test_nobody_there_is_an_error_after_four_attempts() -> None:
    endpoint = Endpoint(port=9)
    async with TimedClient(endpoint) as client:
        ask = Ask("m", "chat", QUESTION, (QUESTION,), Settings())
        record = await send(client, Target("local", endpoint), ask, Clock.now())
    assert record.attempts == 4
    assert "could not connect" in (record.error or "")


async def test_C15_the_key_goes_with_every_call() -> None:
    synthetic = Synthetic({"m": Script(tokens=2)}, key="secret")
    async with at(synthetic) as (client, target):
        ask = Ask("m", "chat", QUESTION, (QUESTION,), Settings())
        assert (await send(client, target, ask, Clock.now())).error is None
        assert len(await client.tags()) == 1


async def test_a_prompt_with_broken_characters_is_sent_all_the_same() -> None:
    record = await asked(Script(tokens=2), texts=("broken \udcff argument",))
    assert record.error is None
