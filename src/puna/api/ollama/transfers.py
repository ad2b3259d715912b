"""The routes about models on the move: pull and push (contract ollama-http §3.13), Puna's own verify and outdated.

Which registries may be talked to is the registry room's business. Here every caller who sends a model away is logged
(threats T10), and so is, on the request's own line, whoever asks for a registry that is refused (T09).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from puna.api.names import parse_reference
from puna.api.ollama.progress import told
from puna.api.ollama.schemas import OutdatedBody, TransferBody, VerifyBody
from puna.api.openapi import takes
from puna.api.state import runtime
from puna.errors import BadRequest, Cancelled, NotFound, PunaError, StoreError
from puna.names import ModelName
from puna.progress import Progress
from puna.registry import Outdated
from puna.serving.callers import caller_name
from puna.serving.requestlog import note
from puna.serving.streams import answer
from puna.serving.wire import json_response, read_json
from puna.store import Store

log = logging.getLogger(__name__)

router = APIRouter(tags=["transfers"])


@router.post("/api/pull", openapi_extra=takes(TransferBody))
async def pull(request: Request) -> Response:
    body = await read_json(request, TransferBody)
    state = runtime(request)
    name = await asyncio.to_thread(state.store.resolve, parse_reference(body.target))
    note(request, model=name.full, caller=caller_name(request))
    steps = state.registry.pull(name, insecure=body.insecure)
    return await told(request, _under_way(steps), stream=body.stream)


@router.post("/api/push", openapi_extra=takes(TransferBody))
async def push(request: Request) -> Response:
    body = await read_json(request, TransferBody)
    if not body.target:
        raise BadRequest("model is required")
    state = runtime(request)
    name = await asyncio.to_thread(state.store.resolve, ModelName.parse(body.target))
    note(request, model=name.full, caller=caller_name(request))
    steps = state.registry.push(name, insecure=body.insecure)
    await asyncio.to_thread(_log_push, request, state.store, name)
    return await told(request, _under_way(steps), stream=body.stream)


@router.post("/api/verify", openapi_extra=takes(VerifyBody))
async def verify(request: Request) -> Response:
    body = await read_json(request, VerifyBody)
    state = runtime(request)
    name = None
    if body.target:
        name = await asyncio.to_thread(state.store.resolve, parse_reference(body.target))
        note(request, model=name.full)
    steps = state.registry.verify(name, repair=body.repair, insecure=body.insecure)
    return await told(request, steps, stream=body.stream)


@router.post("/api/outdated", openapi_extra=takes(OutdatedBody))
async def outdated(request: Request) -> Response:
    body = await read_json(request, OutdatedBody)
    state = runtime(request)
    names = None if body.models is None else [parse_reference(text) for text in dict.fromkeys(body.models)]
    found = await answer(request, lambda: state.registry.outdated(names))
    return json_response({"models": [_row(model) for model in found]})


def _row(model: Outdated) -> dict[str, str]:
    newest = model.newest.hex if model.newest else ""
    row = {"name": model.name.shortest, "digest": model.digest.hex, "newest": newest, "error": model.error}
    return {key: text for key, text in row.items() if text}


async def _under_way(steps: AsyncGenerator[Progress]) -> AsyncGenerator[Progress]:
    """The same steps; what goes wrong after the first one is a 500, whatever it is (§3.13)."""
    begun = False
    try:
        async with aclosing(steps):
            async for step in steps:
                begun = True
                yield step
    except Cancelled:
        raise
    except PunaError as error:
        if not begun:
            raise
        raise PunaError(error.message) from error


def _log_push(request: Request, store: Store, name: ModelName) -> None:
    """Before the first byte leaves, so that the line is there whatever happens then."""
    try:
        manifest = store.find(name)
    except (NotFound, StoreError):  # nothing will leave
        return
    fields = {
        "caller": caller_name(request),
        "destination": name.host,
        "model": name.full,
        "digest": manifest.digest.hex,
        "bytes": manifest.size,
    }
    log.info("push", extra={"fields": fields})
