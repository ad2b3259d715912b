"""`GET /v1/models` and `GET /v1/models/{id}` (contract ollama-http §6.4). Ids may hold slashes, as models' names do."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from puna.api.names import find_model, parse_lookup
from puna.api.openai.choices import object_response
from puna.api.state import runtime
from puna.store import Model
from puna.units import NS

router = APIRouter(tags=["openai"])


@router.get("/v1/models")
async def list_models(request: Request) -> Response:
    models = await asyncio.to_thread(runtime(request).store.models)
    return object_response({"object": "list", "data": [_shape(model, model.name.shortest) for model in models]})


@router.get("/v1/models/{model:path}")
async def retrieve_model(request: Request, model: str) -> Response:
    if not model:
        raise HTTPException(404)  # a trailing slash, which redirects to the list
    name = parse_lookup(model)
    found = find_model(runtime(request).store, model, absent=f"model '{name.shortest}' not found")
    return object_response(_shape(found, model))


def _shape(model: Model, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": model.modified_at_ns // NS, "owned_by": model.name.namespace}
