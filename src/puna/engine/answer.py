"""An answer on its way: how long the load took, what was rendered, and the batches of chunks as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

import orjson

from puna.engine.schema import Constraint, constrain
from puna.engine.types import Chunk
from puna.errors import BadRequest
from puna.prompts import Piece

Batches = AsyncGenerator[list[Chunk]]  # one list per read from the engine


async def _nothing() -> Batches:
    for batch in list[list[Chunk]]():
        yield batch


@dataclass(slots=True)
class Answer:
    """Only the last chunk of `batches` has `final`."""

    load_ns: int
    batches: Batches = field(default_factory=_nothing)
    rendered: str | None = None  # set for a debug rendering, which generates nothing
    image_count: int = 0
    context: list[int] | None = None  # generate: tokens of prompt and answer, there when `final` is
    dropped_tokens: int = 0  # left out of a prompt that did not fit; known when the first batch is


class OutputParser(Protocol):
    """Takes the model's text apart: `feed` and `finish` give content, thinking and tool calls in order."""

    def feed(self, text: str) -> list[Piece]: ...

    def finish(self) -> list[Piece]: ...


async def parsed(batches: Batches, parser: OutputParser) -> Batches:
    """The same stream with `text` split into text, thinking and tool calls; logprobs stay in place.

    Chunks that say nothing, because the parser still holds their text, are left out.
    """
    async with aclosing(batches):
        async for batch in batches:
            result: list[Chunk] = []
            for chunk in batch:
                pieces = parser.feed(chunk.text)
                if chunk.final is not None:
                    pieces = [*pieces, *parser.finish()]
                if pieces or chunk.logprobs or chunk.final is not None:
                    result += _apart(chunk, pieces)
            if result:
                yield result


def _apart(chunk: Chunk, pieces: list[Piece]) -> list[Chunk]:
    """Calls and what is said before and after them on chunks of their own: no content beside calls (§4.9)."""
    *before, last = [list(group) for _, group in groupby(pieces, lambda piece: piece.tool_call is not None)] or [[]]
    return [*(_with_pieces(Chunk(), group) for group in before), _with_pieces(chunk, last)]


def _with_pieces(chunk: Chunk, pieces: list[Piece]) -> Chunk:
    return replace(
        chunk,
        text="".join(piece.text for piece in pieces),
        thinking="".join(piece.thinking for piece in pieces),
        tool_calls=tuple(piece.tool_call for piece in pieces if piece.tool_call is not None),
    )


def format_constraint(value: object) -> Constraint | None:
    """What `format` asks for (contract ollama-http §4.7). Raises `BadRequest`, of status 500 for what is no format."""
    if value is None or value == "":
        return None
    if value == "json":
        return constrain({"type": "object"})
    if isinstance(value, dict):
        return constrain(value)
    quoted = orjson.dumps(orjson.dumps(value).decode()).decode()
    raise BadRequest(f'invalid format: {quoted}; expected "json" or a valid JSON Schema object', status=500)
