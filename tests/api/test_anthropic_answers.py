"""How an answer is worded in Anthropic's dialect: the whole message, and the order of its events (contract §7)."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import pytest

from puna.api.anthropic.answers import MessageEvents, error_event, message
from puna.engine import Chunk, Final
from puna.errors import Busy, PunaError, RunnerDied
from puna.prompts.messages import ToolCall

CALL = ToolCall("call_1", "weather", {"city": "Puno"})
OTHER = ToolCall("call_2", "time", {}, 1)


def final(reason: Literal["stop", "length"] = "stop", stop_text: str = "") -> Final:
    return Final(reason, 12, 5, 0, 7, 0, stop_text)


def events(
    *batches: list[Chunk], stop: tuple[str, ...] = (), prompt_bytes: int = 0
) -> list[tuple[str, dict[str, Any]]]:
    words = MessageEvents("M", prompt_bytes, stop)
    return parsed(b"".join(words.feed(batch) for batch in batches))


def parsed(stream: bytes) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for event in stream.decode().split("\n\n")[:-1]:
        kind, data = event.split("\n")
        found.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    assert all(kind == data["type"] for kind, data in found)
    return found


def test_a_whole_message() -> None:
    answer = message("M", Chunk("Hello.", "hm", (CALL,), final=final()), ())
    assert re.fullmatch(r"msg_[0-9a-f]{24}", answer.pop("id"))
    assert answer == {
        "type": "message",
        "role": "assistant",
        "model": "M",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "text", "text": "Hello."},
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Puno"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 7,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 5,
            "output_tokens": 7,
        },
    }


def test_an_answer_of_nothing_has_a_list_of_nothing() -> None:
    assert message("M", Chunk(final=final()), ())["content"] == []


@pytest.mark.parametrize(
    ("chunk", "reason", "sequence"),
    [
        (Chunk("x", final=final()), "end_turn", None),
        (Chunk("x", final=final("length")), "max_tokens", None),
        (Chunk("x", final=final("stop", "END")), "stop_sequence", "END"),
        (Chunk("x", final=final("stop", "<model's own>")), "end_turn", None),
        (Chunk("x", tool_calls=(CALL,), final=final()), "tool_use", None),
        (Chunk("x", tool_calls=(CALL,), final=final("stop", "END")), "tool_use", None),
    ],
)
def test_the_reason_of_the_end_whole_and_streamed(chunk: Chunk, reason: str, sequence: str | None) -> None:
    whole = message("M", chunk, ["END", ""])
    assert (whole["stop_reason"], whole["stop_sequence"]) == (reason, sequence)
    delta = dict(events([chunk], stop=("END", "")))["message_delta"]
    assert delta["delta"] == {"stop_reason": reason, "stop_sequence": sequence}
    assert delta["usage"] == whole["usage"]


def test_one_block_is_open_at_a_time() -> None:
    found = events(
        [Chunk(thinking="h"), Chunk(thinking="m")],
        [Chunk("Hel", thinking="!"), Chunk("lo")],
        [Chunk(tool_calls=(CALL, OTHER)), Chunk("bye", final=final())],
    )
    start, *blocks, delta, stop = found
    assert [kind for kind, _ in (start, delta, stop)] == ["message_start", "message_delta", "message_stop"]
    told = [(kind, data["index"], data.get("content_block") or data.get("delta")) for kind, data in blocks]
    assert told == [
        ("content_block_start", 0, {"type": "thinking", "thinking": "", "signature": ""}),
        ("content_block_delta", 0, {"type": "thinking_delta", "thinking": "h"}),
        ("content_block_delta", 0, {"type": "thinking_delta", "thinking": "m"}),
        ("content_block_delta", 0, {"type": "thinking_delta", "thinking": "!"}),
        ("content_block_stop", 0, None),
        ("content_block_start", 1, {"type": "text", "text": ""}),
        ("content_block_delta", 1, {"type": "text_delta", "text": "Hel"}),
        ("content_block_delta", 1, {"type": "text_delta", "text": "lo"}),
        ("content_block_stop", 1, None),
        ("content_block_start", 2, {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}),
        ("content_block_delta", 2, {"type": "input_json_delta", "partial_json": '{"city":"Puno"}'}),
        ("content_block_stop", 2, None),
        ("content_block_start", 3, {"type": "tool_use", "id": "call_2", "name": "time", "input": {}}),
        ("content_block_delta", 3, {"type": "input_json_delta", "partial_json": "{}"}),
        ("content_block_stop", 3, None),
        ("content_block_start", 4, {"type": "text", "text": ""}),
        ("content_block_delta", 4, {"type": "text_delta", "text": "bye"}),
        ("content_block_stop", 4, None),
    ]
    assert delta[1]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize(("size", "tokens"), [(0, 1), (3, 1), (400, 100)])
def test_the_start_estimates_the_prompt(size: int, tokens: int) -> None:
    kind, data = events([], prompt_bytes=size)[0]
    assert kind == "message_start"
    assert data["message"].pop("id").startswith("msg_")
    assert data["message"] == {
        "type": "message",
        "role": "assistant",
        "model": "M",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": tokens, "output_tokens": 0},
    }


@pytest.mark.parametrize(
    ("error", "kind"), [(Busy(), "overloaded_error"), (RunnerDied(), "api_error"), (PunaError("x"), "api_error")]
)
def test_a_failure_in_mid_stream_is_an_error_event(error: PunaError, kind: str) -> None:
    ((name, data),) = parsed(error_event(error))
    assert name == "error"
    assert data["error"] == {"type": kind, "message": error.message}
    assert re.fullmatch(r"req_[0-9a-f]{24}", data["request_id"])


def test_line_breaks_of_any_kind_stay_inside_their_event() -> None:
    odd = "a\nb\r\n\n\u2028\u2029\x85c"
    deltas = [data["delta"]["text"] for kind, data in events([Chunk(odd)]) if kind == "content_block_delta"]
    assert deltas == [odd]
