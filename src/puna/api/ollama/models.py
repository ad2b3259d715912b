"""The routes about models at rest and at work: tags, ps, show, create, blobs, copy, delete (contract §3.2 to §3.12)."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from puna.api.names import find_model, parse_lookup, parse_reference
from puna.api.ollama import catalogue
from puna.api.ollama.create import create_request, creating
from puna.api.ollama.progress import told
from puna.api.ollama.schemas import CopyBody, CreateBody, DeleteBody, ShowBody
from puna.api.openapi import takes
from puna.api.state import runtime
from puna.errors import BadRequest, InvalidName, NotFound
from puna.names import Digest, ModelName
from puna.prompts import list_capabilities
from puna.prompts.suspicion import template_warnings, twin_warnings
from puna.serving.requestlog import note
from puna.serving.wire import body_parts, json_response, read_json

router = APIRouter(tags=["models"])

_BLOB_CHUNK = 1 << 20  # bytes gathered before one write in a thread


@router.api_route("/api/tags", methods=["GET", "HEAD"])
async def tags(request: Request) -> Response:
    store = runtime(request).store
    models = await asyncio.to_thread(store.models)
    rows = [catalogue.tag(model, list_capabilities(model), store.provenance(model.digest)) for model in models]
    return json_response({"models": rows})


@router.get("/api/ps")
async def ps(request: Request) -> Response:
    return json_response({"models": [catalogue.row(model) for model in runtime(request).engine.running()]})


@router.post("/api/show", openapi_extra=takes(ShowBody))
async def show(request: Request) -> Response:
    body = await read_json(request, ShowBody)
    if not body.target.strip():
        raise BadRequest("model is required")
    name = parse_lookup(body.target, cloud="remote model details are unavailable")
    state = runtime(request)
    model = find_model(state.store, body.target, absent=f"model '{name.shortest}' not found")
    subject = state.engine.subject(body.target, model)
    context = await state.engine.context(subject)

    def shape() -> catalogue.Wire:
        return catalogue.shown(
            model,
            subject.choice,
            subject.capabilities,
            system=body.system,
            options=body.options,
            verbose=body.verbose,
            context=context,
            provenance=state.store.provenance(model.digest),
            warnings=template_warnings(subject.choice) + twin_warnings(model, state.store.models()),
        )

    return json_response(await asyncio.to_thread(shape))


@router.post("/api/create", openapi_extra=takes(CreateBody))
async def create(request: Request) -> Response:
    body = await read_json(request, CreateBody)
    state = runtime(request)
    asked = await asyncio.to_thread(create_request, body, state, request)
    note(request, model=asked.target.full)
    return await told(request, creating(asked, state), stream=body.stream)


@router.head("/api/blobs/{digest}")
async def has_blob(request: Request, digest: str) -> Response:
    found = runtime(request).store.has_blob(Digest.parse_lenient(digest))
    return Response(status_code=200 if found else 404)


@router.post("/api/blobs/{digest}", openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}})
async def put_blob(request: Request, digest: str) -> Response:
    store = runtime(request).store
    expected = Digest.parse_lenient(digest)
    if store.has_blob(expected):
        return Response(status_code=200)
    with await asyncio.to_thread(store.writer) as writer:
        pending = bytearray()
        async for part in body_parts(request):
            pending += part
            if len(pending) >= _BLOB_CHUNK:
                await asyncio.to_thread(writer.write, bytes(pending))
                pending.clear()
        await asyncio.to_thread(writer.write, bytes(pending))
        await asyncio.to_thread(writer.commit, expected)
    return Response(status_code=201)


@router.post("/api/copy", openapi_extra=takes(CopyBody))
async def copy(request: Request) -> Response:
    body = await read_json(request, CopyBody)
    store = runtime(request).store
    source = _checked(body.source, f'source "{body.source}" is invalid')
    target = _checked(body.destination, f'destination "{body.destination}" is invalid')
    if source != target:
        try:
            await asyncio.to_thread(store.copy, store.resolve(source), store.resolve(target))
        except NotFound:
            raise NotFound(f'model "{body.source}" not found') from None
    return Response(status_code=200)


@router.delete("/api/delete", openapi_extra=takes(DeleteBody))
async def delete(request: Request) -> Response:
    body = await read_json(request, DeleteBody)
    if not body.target.strip():
        raise BadRequest("model is required")
    store = runtime(request).store
    name = parse_reference(body.target, invalid=f'name "{body.target}" is invalid')
    try:
        await asyncio.to_thread(store.delete, store.resolve(name))
    except NotFound:
        raise NotFound(f"model '{body.target}' not found") from None
    return Response(status_code=200)


def _checked(text: str, refusal: str) -> ModelName:
    try:
        return ModelName.parse(text)
    except InvalidName:
        raise InvalidName(refusal) from None
