"""Named rosters of instances, and saved prompts and prompt sets (contract arena §2.2): list, add, replace, delete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puna.arena.failures import Refused
from puna.arena.fields import NAME, read_list, read_text
from puna.arena.instances import check_count_and_ids, instance_wire, read_instances
from puna.arena.reading import read_object
from puna.arena.routes.guarding import resource
from puna.arena.sessionwire import item_wire
from puna.arena.state import Arena, arena_of
from puna.arena.storage.shelf import Shelf
from puna.serving.wire import json_response

Json = dict[str, Any]

MOST_INSTANCES = 100  # of one roster
MOST_PROMPTS = 10_000  # of one set
_PROMPT = ("prompt", "category", "reference")


def read_roster(document: Json) -> Json:
    """`{"instances": […]}`, checked. Raises `Refused`."""
    instances = read_instances(read_list(document, "instances") or (), extended=True)
    if not instances:
        raise Refused("No models selected")
    check_count_and_ids(instances, MOST_INSTANCES)
    return {"instances": [instance_wire(instance) for instance in instances]}


def read_prompts(document: Json) -> Json:
    """One prompt, `{"category", "text"}`, or a set, `{"prompts": [{"prompt", "category"?, "reference"?}]}`, checked.

    Raises `Refused`.
    """
    prompts = read_list(document, "prompts", MOST_PROMPTS)
    if prompts is not None:
        return {"prompts": [_prompt(index, item) for index, item in enumerate(prompts)]}
    text = read_text(document, "text") or ""
    if not text.strip():
        raise Refused("No prompt provided")
    return {"category": read_text(document, "category", NAME) or "", "text": text}


def _prompt(index: int, item: object) -> Json:
    if not isinstance(item, dict) or not (read_text(item, "prompt") or "").strip():
        raise Refused(f"Invalid prompt at index {index}")
    return {name: text for name in _PROMPT if (text := read_text(item, name)) is not None}


def _routes(path: str, shelf_of: Callable[[Arena], Shelf], read_document: Callable[[Json], Json]) -> tuple[Route, ...]:
    def shelf(request: Request) -> Shelf:
        return shelf_of(arena_of(request))

    async def read(request: Request) -> tuple[str, Json]:
        body = await read_object(request, arena_of(request).config.max_body)
        name, document = (read_text(body, "name", NAME) or "").strip(), body.get("document")
        if not name:
            raise Refused("Invalid name: must not be empty")
        if not isinstance(document, dict):
            raise Refused("Invalid document: must be an object")
        return name, read_document(document)

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
