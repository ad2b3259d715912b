"""What a forced call and a declined second call do to a stream of chunks, however it was cut. No engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import orjson
import pytest

from puna.engine.calls import ForcedCall, as_call, first_call_only
from puna.engine.types import Chunk, Final, Logprob
from puna.prompts import normalise_tools
from puna.prompts.messages import ToolCall

TOOLS = [{"type": "function", "function": {"name": "f"}}]
FINAL = Final("stop", 1, 0, 0, 1, 0)
SAID = orjson.dumps({"name": "f", "arguments": {"city": "Puno 高"}}).decode()
FIRST, SECOND = ToolCall("1", "f", {}), ToolCall("2", "f", {}, index=1)


async def stream(*batches: list[Chunk]) -> AsyncGenerator[list[Chunk]]:
    for batch in batches:
        yield batch


def forced() -> ForcedCall:
    found = ForcedCall.of(TOOLS, normalise_tools(TOOLS), ["f"])
    assert found is not None
    return found


@pytest.mark.parametrize("cut", range(len(SAID) + 1))
async def test_a_call_is_the_same_wherever_the_stream_was_cut(cut: int) -> None:
    batches = stream([Chunk(SAID[:cut])], [Chunk(SAID[cut:]), Chunk(final=FINAL)])
    ((last,),) = [batch async for batch in as_call(batches, forced())]
    (call,) = last.tool_calls
    assert (call.name, call.arguments, last.text, last.final) == ("f", {"city": "Puno 高"}, "", FINAL)


@pytest.mark.parametrize(
    "said",
    [SAID[:-1], "", "{}", "[]", "null", '{"name": "g", "arguments": {}}', '{"name": "f", "arguments": []}',
     '{"name": "f"}', '{"name": "f", "arguments": {"a": "\\ud800"}}'],
)  # fmt: skip
async def test_what_is_not_a_whole_call_of_a_named_tool_is_content(said: str) -> None:
    ((last,),) = [batch async for batch in as_call(stream([Chunk(said)], [Chunk(final=FINAL)]), forced())]
    assert (last.text, last.tool_calls) == (said, ())


async def test_what_comes_beside_the_text_of_a_call_is_not_held_back() -> None:
    probable = Logprob("{", -0.1, b"{")
    batches = stream([Chunk("{", logprobs=(probable,)), Chunk("x")], [Chunk("y")], [Chunk("}", final=FINAL)])
    got = [batch async for batch in as_call(batches, forced())]
    assert got == [[Chunk(logprobs=(probable,))], [Chunk("{xy}", final=FINAL)]]


async def test_of_several_calls_the_first_is_kept() -> None:
    together = stream([Chunk("a")], [Chunk(tool_calls=(FIRST, SECOND), final=FINAL)])
    assert [batch async for batch in first_call_only(together)] == [
        [Chunk("a")],
        [Chunk(tool_calls=(FIRST,), final=FINAL)],
    ]
    apart = stream([Chunk(tool_calls=(FIRST,))], [Chunk(tool_calls=(SECOND,))], [Chunk("b", final=FINAL)])
    assert [batch async for batch in first_call_only(apart)] == [
        [Chunk(tool_calls=(FIRST,))],
        [Chunk("b", final=FINAL)],
    ]
