"""Named rosters of instances, and saved prompts and prompt sets (contract arena §2.2): list, add, replace, delete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puna.arena.reading import read_object
from puna.arena.routes.guarding import resource
from puna.arena.sessionwire import item_wire
from puna.arena.shelves import Read, read_item, read_prompts, read_roster
from puna.arena.state import Arena, arena_of
from puna.arena.storage.shelf import Shelf
from puna.serving.wire import json_response

Json = dict[str, Any]


def _routes(path: str, shelf_of: Callable[[Arena], Shelf], read_document: Read) -> tuple[Route, ...]:
    def shelf(request: Request) -> Shelf:
        return shelf_of(arena_of(request))

    async def read(request: Request) -> tuple[str, Json]:
        body = await read_object(request, arena_of(request).config.max_body)
        return read_item(body, read_document)

    async def show(request: Request) -> Response:
        items = await asyncio.to_thread(shelf(request).all)
        return json_response({"items": [item_wire(item) for item in items]})

    async def add(request: Request) -> Response:
        return json_response(item_wire(await asyncio.to_thread(shelf(request).add, *await read(request))), 201)

    async def put(request: Request) -> Response:
        item_id = request.path_params["id"]
        return json_response(item_wire(await asyncio.to_thread(shelf(request).put, item_id, *await read(request))))

    async def delete(request: Request) -> Response:
        await asyncio.to_thread(shelf(request).delete, request.path_params["id"])
        return json_response({"deleted": 1})

    return resource(path, get=show, post=add), resource(f"{path}/{{id}}", put=put, delete=delete)


ROUTES = (
    *_routes("/api/arena/rosters", lambda arena: arena.rosters, read_roster),
    *_routes("/api/arena/prompts", lambda arena: arena.prompts, read_prompts),
)
