"""Answers on their way: watched, and stopped (contract arena §2.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import Response

from puna.arena.failures import Refused
from puna.arena.reading import read_object
from puna.arena.routes.guarding import get, post
from puna.arena.running import Running
from puna.arena.state import arena_of
from puna.arena.streaming import ndjson
from puna.errors import NotFound
from puna.serving.wire import json_response, line

EACH_S = 1.0


async def live(request: Request) -> Response:
    """A line a second, until the reader leaves."""
    if request.method == "HEAD":
        return Response(media_type="application/x-ndjson")
    return ndjson(_lines(arena_of(request).running))


async def cancel(request: Request) -> Response:
    """Stop one column of a request, or all of them; what they said so far stays."""
    arena = arena_of(request)
    body = await read_object(request, arena.config.max_body)
    request_id, instance_id = body.get("request_id"), body.get("instance_id")
    if not isinstance(request_id, str) or not request_id:
        raise Refused("Invalid request_id: it is in the first line of a turn, and in X-Request-Id")
    if not isinstance(instance_id, str | None):
        raise Refused("Invalid instance_id: must be a string")
    if not arena.running.cancel(request_id, instance_id):
        raise NotFound("Nothing to cancel")
    return json_response({"status": "cancelled"})


async def _lines(running: Running) -> AsyncGenerator[bytes]:
    while True:
        yield line({"running": running.wire()})
        await asyncio.sleep(EACH_S)


ROUTES = (get("/api/arena/live", live), post("/api/arena/cancel", cancel))
