"""How much is kept, and what a deletion would take (contract arena §2.11)."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from puna.arena.fields import read_moment
from puna.arena.routes.guarding import get
from puna.arena.state import arena_of
from puna.arena.storage.sizes import count_older, read_sizes
from puna.serving.wire import json_response


async def show(request: Request) -> Response:
    """With `before`, how many sessions have not been changed since: `DELETE sessions?before=` deletes just these."""
    database, before = arena_of(request).database, read_moment(request.query_params, "before")
    sizes = await asyncio.to_thread(read_sizes, database)
    older = None if before is None else await asyncio.to_thread(count_older, database, before)
    told = {"sessions": sizes.sessions, "battles": sizes.battles, "votes": sizes.votes}
    return json_response(told | {"older": older, "bytes": sizes.used, "on_disk": sizes.on_disk})


ROUTES = (get("/api/arena/storage", show),)
