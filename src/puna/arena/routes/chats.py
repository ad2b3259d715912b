"""Both chat routes (contract arena §1.5, §1.7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from puna.arena.answers import Collected, ExtendedLines, event_line
from puna.arena.asking import Event
from puna.arena.reading import id_of, read_object
from puna.arena.request import ChatRequest, read_chat
from puna.arena.routes.guarding import post
from puna.arena.state import Arena, arena_of
from puna.arena.streaming import ndjson
from puna.serving.requestlog import note
from puna.serving.streams import answer
from puna.serving.wire import json_response


async def chat(request: Request) -> Response:
    """All answers at once; with `stream` the same as `stream_chat`."""
    arena, asked = await _read(request)
    if asked.stream:
        return _streamed(arena, asked, id_of(request))

    async def collect() -> dict[str, Any]:
        async with aclosing(_events(arena, asked, id_of(request))) as events:
            return (await Collected.gather(events)).answer(asked)

    return json_response(await answer(request, collect))


async def stream_chat(request: Request) -> Response:
    return _streamed(*await _read(request), id_of(request))


async def _read(request: Request) -> tuple[Arena, ChatRequest]:
    arena = arena_of(request)
    body = await read_object(request, arena.config.max_body)
    extended = request.query_params.get("extended") == "1"
    asked = read_chat(body, arena.config.limits, arena.upstreams.names, extended=extended)
    if asked.extended:
        asked = replace(asked, questions=await arena.pictures.checked_questions(asked.questions))
    note(request, models=",".join(instance.model for instance in asked.instances))
    return arena, asked


def _events(arena: Arena, asked: ChatRequest, request_id: str) -> AsyncGenerator[Event]:
    return arena.asker.ask(asked.questions, sequential=asked.sequential, request_id=request_id)


def _streamed(arena: Arena, asked: ChatRequest, request_id: str) -> Response:
    return ndjson(_lines(arena, asked, request_id))


async def _lines(arena: Arena, asked: ChatRequest, request_id: str) -> AsyncGenerator[bytes]:
    yield b""  # the headers go at once: a model may take a minute to load
    extended = ExtendedLines(asked.instances, asked.truncated) if asked.extended else None
    async with aclosing(_events(arena, asked, request_id)) as events:
        async for event in events:
            if line := extended.line(event) if extended else event_line(event, asked.key):
                yield line


ROUTES = (post("/api/chat", chat), post("/api/stream_chat", stream_chat))
