"""What the page needs to know: limits, models, downloads (contract arena §2.2)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from puna import __version__
from puna.arena.conversation import MOST_IMAGES
from puna.arena.instances import checked_name
from puna.arena.pictures import MOST_BYTES
from puna.arena.reading import read_object
from puna.arena.routes.guarding import get, post
from puna.arena.sampling import RANGES, Sampling
from puna.arena.state import arena_of
from puna.errors import NotFound
from puna.serving.requestlog import note
from puna.serving.wire import json_response

COLUMNS = 6  # that the page shows at once (C7)


async def config(request: Request) -> Response:
    arena = arena_of(request)
    names, client = arena.upstreams.names, arena.upstreams.client
    found: dict[str, Any] = {
        "version": __version__,
        "limits": {
            "columns": COLUMNS,
            "instances": arena.config.limits.instances,
            "messages": arena.config.limits.messages,
            "body_bytes": arena.config.max_body,
            "images": MOST_IMAGES,
            "image_bytes": MOST_BYTES,
        },
        "endpoints": [{"name": name, "url": client(name).endpoint.url} for name in names],
        "defaults": Sampling().wire(),
        "ranges": {
            name: {"min": allowed.low, "max": allowed.high, "integer": allowed.whole}
            for name, allowed in RANGES.items()
        },
    }
    return json_response(found)


async def models(request: Request) -> Response:
    """Never a failure: an endpoint that is down is in the answer."""
    return json_response((await arena_of(request).catalogs.now()).wire())


async def pulls(request: Request) -> Response:
    return json_response({"pulls": arena_of(request).downloads.wire()})


async def cancel_pull(request: Request) -> Response:
    arena = arena_of(request)
    body = await read_object(request, arena.config.max_body)
    model, endpoint = checked_name(body.get("model")), body.get("endpoint")
    note(request, model=model)
    if not arena.downloads.cancel(model, endpoint if isinstance(endpoint, str) else ""):
        raise NotFound("No such download")
    return json_response({"status": "cancelled"})


ROUTES = (
    get("/api/arena/config", config),
    get("/api/arena/models", models),
    get("/api/arena/pulls", pulls),
    post("/api/arena/pulls/cancel", cancel_pull),
)
