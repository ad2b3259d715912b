"""Both chat routes (contract arena §1.5, §1.7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from puna.arena.answers import Collected, event_line
from puna.arena.reading import read_object
from puna.arena.request import ChatRequest, read_chat
from puna.arena.routes.guarding import post
from puna.arena.state import Arena, arena_of
from puna.errors import PunaError
from puna.serving.requestlog import note
from puna.serving.streams import NdjsonResponse, answer
from puna.serving.wire import json_response, line


async def chat(request: Request) -> Response:
    """All answers at once; with `stream` the same as `stream_chat`."""
    arena, asked = await _read(request)
    if asked.stream:
        return _streamed(arena, asked)

    async def collect() -> dict[str, Any]:
        async with aclosing(arena.asker.ask(asked)) as events:
            return (await Collected.gather(events)).answer(asked)

    return json_response(await answer(request, collect))


async def stream_chat(request: Request) -> Response:
    return _streamed(*await _read(request))


async def _read(request: Request) -> tuple[Arena, ChatRequest]:
    arena = arena_of(request)
    body = await read_object(request, arena.config.max_body)
    asked = read_chat(body, arena.config.limits, arena.upstreams.names)
    note(request, models=",".join(instance.model for instance in asked.instances))
    return arena, asked


def _streamed(arena: Arena, asked: ChatRequest) -> Response:
    response = NdjsonResponse(_lines(arena, asked), _last_words)
    response.first_headers += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
    return response


async def _lines(arena: Arena, asked: ChatRequest) -> AsyncGenerator[bytes]:
    yield b""  # the headers go at once: a model may take a minute to load
    async with aclosing(arena.asker.ask(asked)) as events:
        async for event in events:
            yield event_line(event, asked.key)


def _last_words(error: PunaError) -> bytes:
    return line({"error": error.message})


ROUTES = (post("/api/chat", chat), post("/api/stream_chat", stream_chat))
