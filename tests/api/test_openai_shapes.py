"""OpenAI's streams and messages without a server: chunks as events, choices side by side, names of called tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

from puna.api.openai import answers
from puna.api.openai.choices import side_by_side
from puna.api.openai.events import DONE, ChatEvents, Events, TextEvents, error_event
from puna.api.openai.messages import conversation
from puna.api.openai.schemas import OpenAIMessage
from puna.engine import Answer, Chunk, Final, Logprob
from puna.errors import BadRequest, RunnerDied
from puna.prompts.messages import ToolCall

CALL = ToolCall("call_1", "weather", {"city": "Lima <1>"}, 0)
PROBABLE = Logprob("a", -0.5, b"a", (Logprob("b", -1.5, b"b"),))


def final(reason: Any = "stop", output: int = 2) -> Final:
    return Final(reason, prompt_tokens=10, cached_tokens=4, prompt_ns=1, output_tokens=output, output_ns=1)


def fed(events: Events, *batches: Sequence[Chunk], index: int = 0, dropped: int = 0) -> list[Any]:
    data = b"".join(events.feed(index, batch, Answer(0, dropped_tokens=dropped)) for batch in batches)
    blocks = data.decode().split("\n\n")
    assert blocks.pop() == ""
    return [block[6:] if "[DONE]" in block else json.loads(block[6:]) for block in blocks]


def deltas(chunks: Sequence[Any]) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk != "[DONE]"]


def test_reasoning_comes_first_and_apart() -> None:
    chunks = fed(ChatEvents("M", 1, False), [Chunk(thinking="hm"), Chunk("yes", "so"), Chunk("!", final=final())])
    assert deltas(chunks) == [
        {"role": "assistant", "content": "", "reasoning": "hm"},
        {"content": "", "reasoning": "so"},
        {"content": "yes"},
        {"content": "!"},
        {},
    ]


def test_calls_are_whole_and_beside_no_content() -> None:
    chunks = fed(ChatEvents("M", 1, False), [Chunk("Let me see."), Chunk("Now.", tool_calls=(CALL,), final=final())])
    call = {
        "id": "call_1",
        "index": 0,
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"Lima <1>"}'},
    }
    assert deltas(chunks) == [
        {"role": "assistant", "content": "Let me see."},
        {"content": "Now."},
        {"content": "", "tool_calls": [call]},
        {},
    ]
    assert chunks[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_call_that_was_cut_ends_with_length() -> None:
    chunks = fed(ChatEvents("M", 1, False), [Chunk(tool_calls=(CALL,), final=final("length"))])
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"


def test_an_answer_without_a_word_has_a_role() -> None:
    chunks = fed(ChatEvents("M", 1, False), [Chunk(final=final())])
    assert deltas(chunks) == [{"role": "assistant", "content": ""}, {}]


def test_logprobs_go_with_the_last_part_of_their_chunk() -> None:
    chunks = fed(ChatEvents("M", 1, False), [Chunk("a", "hm", logprobs=(PROBABLE,)), Chunk(logprobs=(PROBABLE,))])
    told = [chunk["choices"][0].get("logprobs") for chunk in chunks]
    entry = {"token": "a", "logprob": -0.5, "bytes": [97]}
    other = {"token": "b", "logprob": -1.5, "bytes": [98]}
    assert told == [None, {"content": [{**entry, "top_logprobs": [other]}]}, told[1]]


def test_a_text_of_any_characters_is_one_line() -> None:
    text = '\n\r\u2028"\\<tag>\U0001f999'
    first, second = fed(ChatEvents("M", 1, False), [Chunk(text)], [Chunk(text)])
    assert deltas([first, second]) == [{"role": "assistant", "content": text}, {"content": text}]


def test_the_last_choice_brings_usage_and_the_end() -> None:
    events = ChatEvents("M", 2, True)
    *_, finish = fed(events, [Chunk("a", final=final("length", 3))], index=1, dropped=7)
    assert (finish["choices"][0]["index"], finish["choices"][0]["finish_reason"]) == (1, "length")
    *_, usage, done = fed(events, [Chunk("b", final=final())], index=0, dropped=7)
    assert usage["choices"] == []
    assert usage["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
        "puna_dropped_tokens": 7,
    }
    assert done == "[DONE]"


def test_plain_completions_tell_no_reasoning() -> None:
    chunks = fed(TextEvents("M", ["Once"], 1, False), [Chunk(thinking="hm")], [Chunk(" a"), Chunk("b", final=final())])
    assert [chunk["choices"][0]["text"] for chunk in chunks[:-1]] == ["Once", " a", "b"]
    whole = answers.text_answer("M", [Chunk("b", "hm", final=final())], ["a"], 1, 0)
    assert whole["choices"] == [{"text": "ab", "index": 0, "finish_reason": "stop"}]


def test_a_whole_answer_with_reasoning_and_calls() -> None:
    chunk = Chunk("", "hm", (CALL,), final=final())
    (choice,) = answers.chat_answer("M", [chunk], 0)["choices"]
    assert list(choice["message"]) == ["role", "content", "reasoning", "tool_calls"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", "tool_calls")


def test_an_error_is_an_event_of_its_own() -> None:
    data = error_event(RunnerDied())
    assert data.startswith(b'data: {"error":{"message":"model runner has')
    assert data.endswith(b"}}\n\n")
    assert DONE not in data


def test_the_name_of_a_result_is_that_of_the_last_call_with_its_id() -> None:
    def call(name: str) -> dict[str, Any]:
        return {"id": "c", "function": {"name": name, "arguments": "{}"}}

    bodies: list[Any] = [
        {"role": "assistant", "tool_calls": [call("radio"), call("clock")]},
        {"role": "tool", "tool_call_id": "c", "content": "noon"},
        {"role": "tool", "tool_call_id": "c", "name": "radio", "content": "song"},
        {"role": "function", "name": "radio", "content": "song"},
        {"role": "user", "name": "ada", "content": "hi"},
    ]
    messages = conversation([OpenAIMessage.model_validate(body) for body in bodies])
    assert [(message.role, message.tool_name) for message in messages] == [
        ("assistant", ""),
        ("tool", "clock"),
        ("tool", "radio"),
        ("tool", "radio"),
        ("user", ""),
    ]
    assert [call.index for call in messages[0].tool_calls] == [0, 1]


def test_calls_and_reasoning_belong_to_the_last_part() -> None:
    body = {
        "role": "assistant",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "reasoning": "hm",
        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"x": 1}'}}],
    }
    first, second = conversation([OpenAIMessage.model_validate(body)])
    assert (first.content, first.thinking, first.tool_calls) == ("a", "", ())
    assert (second.content, second.thinking, second.tool_calls) == ("b", "hm", (ToolCall("c", "f", {"x": 1}, 0),))


Opener = Callable[[], AbstractAsyncContextManager[Answer]]


class Generations:
    """Answers that never end on their own, and how many of them are open."""

    def __init__(self, error: Exception | None = None) -> None:
        self.open = 0
        self._error = error

    def opener(self, text: str, *, fails: bool = False) -> Opener:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Answer]:
            self.open += 1
            try:
                yield Answer(0, self._batches(text, fails))
            finally:
                self.open -= 1

        return opened

    async def _batches(self, text: str, fails: bool) -> AsyncGenerator[list[Chunk]]:
        while True:
            yield [Chunk(text)]
            await asyncio.sleep(0)
            if fails and self._error is not None:
                raise self._error


@pytest.fixture
def request_() -> Request:
    gaps = SimpleNamespace(observe=lambda _: None)
    metrics = SimpleNamespace(begun=lambda *_: gaps)
    app = SimpleNamespace(state=SimpleNamespace(metrics=metrics))
    return Request({"type": "http", "app": app, "state": {"log": {}, "started": 0.0}})


async def test_choices_are_told_as_they_come_and_end_when_nobody_listens(request_: Request) -> None:
    for texts in ("a", "abc"):
        generations = Generations()
        seen = set()
        async with aclosing(side_by_side(request_, [generations.opener(text) for text in texts])) as steps:
            async for step in steps:
                assert step.batch[0].text == texts[step.index]
                seen.add(step.index)
                if len(seen) == len(texts):
                    break
            assert generations.open == len(texts)
        assert generations.open == 0


@pytest.mark.parametrize("error", [BadRequest("no"), ZeroDivisionError()])
async def test_the_first_error_ends_all_choices(request_: Request, error: Exception) -> None:
    generations = Generations(error)
    openers = [generations.opener("a"), generations.opener("b", fails=True)]

    async def listen() -> None:
        async with aclosing(side_by_side(request_, openers)) as steps:
            async for _ in steps:
                pass

    with pytest.raises(type(error)):
        await listen()
    assert generations.open == 0
