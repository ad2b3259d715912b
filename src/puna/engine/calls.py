"""A forced call: the answer is constrained to one call of a named tool, and read as one (`ChatRequest.must_call`).

Any model can give it, whether its template knows tools or not: the constraint is a JSON Schema, the engine's own
handling of `tool_choice` has no say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Self

import orjson

from puna.engine.answer import Batches
from puna.engine.callschema import call_constraint
from puna.engine.llama import LlamaDriver
from puna.engine.schema import Constraint
from puna.engine.types import Chunk
from puna.errors import BadRequest, FieldRefused
from puna.prompts import Tool
from puna.prompts.messages import ToolCall
from puna.prompts.toolcalls import new_call_id


@dataclass(frozen=True, slots=True)
class ForcedCall:
    """What the answer must be: a call of one of `tools`, which `constraint` holds it to."""

    tools: tuple[Tool, ...]
    names: frozenset[str]
    constraint: Constraint

    @classmethod
    def of(cls, raw: Sequence[Mapping[str, Any]], tools: Sequence[Tool], names: Sequence[str]) -> Self | None:
        """None where nothing is forced. `raw` are the tools as the caller described them, `tools` the same normalised.

        Raises `FieldRefused` for a name that no tool has and for parameters that cannot constrain an answer.
        """
        wanted = frozenset(names)
        if not wanted:
            return None
        if missing := wanted - {_name(tool) for tool in tools}:
            raise FieldRefused(f"tool_choice: there is no tool named {min(missing)!r} in tools", "tool_choice")
        return cls(
            tuple(tool for tool in tools if _name(tool) in wanted),
            wanted,
            call_constraint([tool["function"] for tool in raw if _name(tool) in wanted]),
        )

    async def prove(self, driver: LlamaDriver) -> None:
        """Raises `FieldRefused` for a schema that the engine cannot follow."""
        try:
            await driver.prove(self.constraint)
        except BadRequest:
            text = "tools: the engine cannot follow the JSON schema of the parameters"
            raise FieldRefused(text, "tools") from None

    def read(self, text: str) -> ToolCall | None:
        """The call that `text` is; None where it is not a whole one."""
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        match said:
            case {"name": str(name), "arguments": dict(arguments)} if name in self.names:
                return ToolCall(new_call_id(), name, arguments)
        return None


def _name(tool: Mapping[str, Any]) -> str:
    name: str = tool["function"]["name"]
    return name


async def as_call(batches: Batches, forced: ForcedCall) -> Batches:
    """The same stream with its text held back: at its end it is one whole call.

    An answer that was cut is no call, and never half of one: then its text comes at the end, as content.
    """
    said: list[str] = []
    async with aclosing(batches):
        async for batch in batches:
            said += [chunk.text for chunk in batch]
            if chunks := list(_without_text(batch)):
                if chunks[-1].final is not None:
                    text = "".join(said)
                    call = forced.read(text)
                    chunks[-1] = replace(chunks[-1], tool_calls=(call,)) if call else replace(chunks[-1], text=text)
                yield chunks


def _without_text(batch: Collection[Chunk]) -> Iterator[Chunk]:
    for chunk in batch:
        if chunk.thinking or chunk.logprobs or chunk.final is not None:
            yield replace(chunk, text="")


async def first_call_only(batches: Batches) -> Batches:
    """The same stream without the calls after the first (`ChatRequest.parallel_tool_calls`)."""
    called = False
    async with aclosing(batches):
        async for batch in batches:
            kept: list[Chunk] = []
            for chunk in batch:
                calls = chunk.tool_calls[: 0 if called else 1]
                called = called or bool(calls)
                if calls or not chunk.tool_calls or chunk.logprobs or chunk.final is not None:
                    kept.append(replace(chunk, tool_calls=calls))
            if kept:
                yield kept
