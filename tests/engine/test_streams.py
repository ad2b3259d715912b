"""The engine's bytes as chunks: events at every split, decoding, limits. No network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from puna.engine.decoding import ChatDecoder, CompletionDecoder
from puna.engine.failures import ContextExceeded
from puna.engine.sse import MAX_EVENT_BYTES, SseParser
from puna.engine.types import Chunk, Final, Logprob
from puna.errors import EngineError
from puna.prompts.messages import ToolCall

TIMINGS = {"cache_n": 3, "prompt_n": 2, "prompt_ms": 1.5, "predicted_n": 4, "predicted_ms": 20}
FINAL = Final("stop", 5, 3, 1_500_000, 4, 20_000_000)


def event(**fields: Any) -> bytes:
    return orjson.dumps(fields)


def test_events_are_the_same_at_every_split() -> None:
    stream = (
        b'data: {"a":"\xe2\x80\xa8\xc2\x85"}\n\n: ping\n\ndata: one\ndata: two\n\nevent: x\ndata:three\n\ndata: [DONE]'
    )
    expected = [b'{"a":"\xe2\x80\xa8\xc2\x85"}', b"one\ntwo", b"three", b"[DONE]"]
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1, 5):
            parser = SseParser()
            pieces = (stream[:first], stream[first:second], stream[second:])
            got = [payload for piece in pieces for payload in parser.feed(piece)]
            assert got + parser.finish() == expected
    assert SseParser().finish() == []


def test_T23_an_event_without_an_end_is_not_collected_for_ever() -> None:
    parser = SseParser()
    parser.feed(b"x" * MAX_EVENT_BYTES)
    with pytest.raises(EngineError, match="too large"):
        parser.feed(b"x")


def test_a_completion_gives_text_tokens_and_a_final() -> None:
    decoder = CompletionDecoder(-1)
    first = decoder.feed([event(content=" a", tokens=[253], stop=False), event(content="b", tokens=[7], stop=False)])
    assert first == [Chunk(" a", tokens=(253,)), Chunk("b", tokens=(7,))]
    assert not decoder.finished
    last = decoder.feed([event(content="", tokens=[], stop=True, stop_type="eos", timings=TIMINGS)])
    assert last == [Chunk(final=FINAL)]
    assert decoder.finished


@pytest.mark.parametrize(("stop_type", "reason"), [("eos", "stop"), ("word", "stop"), ("limit", "length")])
def test_how_a_completion_ended(stop_type: str, reason: str) -> None:
    (chunk,) = CompletionDecoder(-1).feed(
        [event(content="", tokens=[], stop=True, stop_type=stop_type, timings=TIMINGS)]
    )
    assert chunk.final is not None
    assert chunk.final.reason == reason


@pytest.mark.parametrize("n_probs", [0, 1])
def test_logprobs_have_as_many_alternatives_as_asked_for(n_probs: int) -> None:
    one = {"token": "é", "bytes": [195, 169], "logprob": None}
    entry = one | {"logprob": -0.5, "top_logprobs": [one, one]}
    (chunk,) = CompletionDecoder(n_probs).feed(
        [event(content="é", tokens=[1], stop=False, completion_probabilities=[entry])]
    )
    assert chunk.logprobs == (Logprob("é", -0.5, b"\xc3\xa9", (Logprob("é", -9999.0, b"\xc3\xa9"),) * n_probs),)


def delta(**fields: Any) -> bytes:
    return event(choices=[{"finish_reason": None, "index": 0, "delta": fields}])


def ended(reason: str = "stop") -> bytes:
    return event(choices=[{"finish_reason": reason, "index": 0, "delta": {}}], timings=TIMINGS)


def test_a_chat_gives_thinking_and_text() -> None:
    decoder = ChatDecoder(-1)
    got = decoder.feed([delta(role="assistant", content=None), delta(reasoning_content="hm"), delta(content="yes")])
    assert got == [Chunk(thinking="hm"), Chunk("yes")]
    assert decoder.feed([ended("length"), b"[DONE]"])[0].final == Final("length", 5, 3, 1_500_000, 4, 20_000_000)
    assert decoder.finished


def test_text_that_was_held_back_comes_before_the_end_and_is_not_it() -> None:
    """So the engine ends an answer at a stop text: what it held back has the timings too, and says which text it was."""
    held = orjson.loads(delta(content=" ")) | {"timings": TIMINGS, "__verbose": {"stopping_word": "END"}}
    decoder = ChatDecoder(-1)
    assert decoder.feed([orjson.dumps(held)]) == [Chunk(" ")]
    assert not decoder.finished
    assert decoder.feed([ended()]) == [Chunk(final=replace(FINAL, stop_text="END"))]
    assert decoder.finished


def test_tool_calls_arrive_in_pieces_and_leave_whole() -> None:
    decoder = ChatDecoder(-1)
    pieces = [
        {"index": 0, "id": "x1", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"city":'}},
        {"index": 1, "id": "x2", "function": {"name": "g", "arguments": "{}"}},
        {"index": 0, "function": {"arguments": '"Puno"}'}},
    ]
    assert decoder.feed([delta(tool_calls=[piece]) for piece in pieces]) == []
    (last,) = decoder.feed([ended("tool_calls")])
    assert last.tool_calls == (ToolCall("x1", "f", {"city": "Puno"}), ToolCall("x2", "g", {}, index=1))
    assert last.final == FINAL


def test_a_malformed_call_is_shown_as_text() -> None:
    decoder = ChatDecoder(-1)
    decoder.feed([delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "{broken"}}])])
    (last,) = decoder.feed([ended()])
    assert (last.text, last.tool_calls) == ("{broken", ())


def test_an_error_in_the_stream_carries_the_engines_status() -> None:
    error = {"code": 400, "message": "no such grammar", "type": "invalid_request_error"}
    for decoder in (CompletionDecoder(-1), ChatDecoder(-1)):
        with pytest.raises(EngineError, match="no such grammar") as caught:
            decoder.feed([event(error=error)])
        assert caught.value.status == 400


def test_an_over_long_prompt_says_by_how_much() -> None:
    error = {"code": 400, "message": "too long", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 4}
    with pytest.raises(ContextExceeded) as caught:
        CompletionDecoder(-1).feed([event(error=error)])
    assert (caught.value.n_prompt_tokens, caught.value.n_ctx, caught.value.status) == (9, 4, 400)


@pytest.mark.parametrize("payload", [b"{", b"[]", b"null", b"\xff"])
def test_events_that_are_no_objects_are_an_error_of_the_engine(payload: bytes) -> None:
    for decoder in (CompletionDecoder(-1), ChatDecoder(-1)):
        with pytest.raises(EngineError, match="the engine sent an event"):
            decoder.feed([payload])
