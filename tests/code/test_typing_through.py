"""Typing what is shown costs nothing (contract code-completion §4.1 rank 3, §4.5 G6)."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from puna.code.completer import Completer
from puna.code.types import CompletionRequest
from tests.code.asking import complete, completing
from tests.code.scripted import Scripted

PREFIX, SUFFIX = "total = ", "\nprint(total)\n"
SAID = "sum(values) + 1"


async def shown(completer: Completer, prefix: str, suffix: str = SUFFIX, **fields: Any) -> str:
    return (await complete(completer, prefix, suffix, **fields))[0]


async def test_G6_every_keystroke_inside_a_suggestion_is_answered_without_the_model() -> None:
    server = Scripted(script=["sum(", "values)", " + 1"])
    async with completing(server) as completer:
        assert await shown(completer, PREFIX) == SAID
        calls = len(server.calls)
        for typed in range(1, len(SAID)):
            text, outcome = await complete(completer, PREFIX + SAID[:typed], SUFFIX)
            assert text == SAID[typed:]
            assert (outcome.reason, outcome.output_tokens) == ("stop", 0)
            assert outcome.cached_tokens == outcome.input_tokens > 0
        assert (len(server.asked), len(server.calls)) == (1, calls)
        assert completer.counters.typed_through == len(SAID) - 1
        assert await shown(completer, PREFIX + SAID) == SAID  # nothing of it is left: the model is asked
    assert len(server.asked) == 2


async def test_backspace_inside_the_shown_text_costs_nothing_either() -> None:
    server = Scripted(script=[SAID])
    async with completing(server) as completer:
        for typed in (0, 9, 5, 1, 0):
            assert await shown(completer, PREFIX + SAID[:typed]) == SAID[typed:]
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("prefix", "suffix", "fields"),
    [
        (PREFIX + "max", SUFFIX, {}),  # something else was typed
        (PREFIX + "s", SUFFIX + "#", {}),
        ("\n" + PREFIX + "s", SUFFIX, {}),
        (PREFIX[:-1], SUFFIX, {}),  # taken back beyond its beginning
        (PREFIX + "s", SUFFIX, {"max_tokens": 5}),
        (PREFIX + "s", SUFFIX, {"stop": (";",)}),
        (PREFIX + "s", SUFFIX, {"session": "other"}),
        (PREFIX + "s", SUFFIX, {"path": "other.py"}),
        (PREFIX + "s", SUFFIX, {"sampling": {"top_k": 1}}),
    ],
)
async def test_whatever_else_changes_is_a_question_for_the_model(
    prefix: str, suffix: str, fields: dict[str, Any]
) -> None:
    server = Scripted(script=[SAID])
    async with completing(server) as completer:
        await shown(completer, PREFIX)
        await shown(completer, prefix, suffix, **fields)
    assert len(server.asked) == 2


@pytest.mark.parametrize("fields", [{"session": "s"}, {"client": "editor/1", "path": "a.py"}])
async def test_T24_what_one_caller_is_shown_answers_no_other(fields: dict[str, Any]) -> None:
    server = Scripted(script=[SAID])
    async with completing(server) as completer:
        for count, caller in enumerate(["ann", "bob"], 1):
            assert await shown(completer, PREFIX, caller=caller, **fields) == SAID
            assert await shown(completer, PREFIX + "sum", caller=caller, **fields) == SAID.removeprefix("sum")
            assert len(server.asked) == count
        assert completer.counters.superseded == 0


async def test_with_dice_the_same_question_is_thrown_again_but_typing_goes_through() -> None:
    server = Scripted(script=[SAID])
    dice = {"sampling": {"temperature": 0.8}}
    async with completing(server) as completer:
        for prefix in (PREFIX, PREFIX, PREFIX + "sum"):
            await shown(completer, prefix, **dice)
    assert len(server.asked) == 2


async def test_lines_of_a_block_are_typed_through_with_their_indentation() -> None:
    server = Scripted(script=["if a:\n", "        return b\n", "    return c"])
    async with completing(server) as completer:
        await shown(completer, "def f(a):\n    ")
        assert await shown(completer, "def f(a):\n    if a:\n        ") == "return b\n    return c"
    assert len(server.asked) == 1


async def test_headers_do_not_stand_between_a_suggestion_and_its_text() -> None:
    server = Scripted(script=[SAID])
    header = "# Language: Python\n# Path: a.py\n"
    async with completing(server) as completer:
        await shown(completer, header + PREFIX)
        assert await shown(completer, header + PREFIX + "sum") == SAID[3:]
    assert len(server.asked) == 1


async def test_U4_the_same_question_has_the_same_answer() -> None:
    """As far as it is ours: whether the model was asked or not."""
    server = Scripted(script=[SAID])
    async with completing(server) as completer:
        assert [await shown(completer, PREFIX) for _ in range(3)] == [SAID] * 3
    assert len(server.asked) == 1


async def test_a_superseded_answer_is_no_suggestion() -> None:
    gate = asyncio.Event()
    server = Scripted(script=["sum", gate, "(values)"])
    async with completing(server) as completer:
        asked = completer.complete(CompletionRequest(PREFIX, SUFFIX, session="s"))
        async with aclosing(asked) as older:
            assert (await anext(older)).text == "sum"  # it is on the screen
            newer = asyncio.create_task(shown(completer, "x = ", session="s"))
            assert "".join([piece.text async for piece in older]) == ""
        gate.set()
        await newer
        await shown(completer, PREFIX, session="s")
    assert len(server.asked) == 3
