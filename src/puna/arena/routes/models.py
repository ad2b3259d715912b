"""Health, and the models of the upstream: list, pull, delete (contract arena §1.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from puna.arena.failures import DeleteFailed, UpstreamFailed, reason, silent
from puna.arena.instances import checked_name
from puna.arena.reading import read_object
from puna.arena.routes.guarding import get, post
from puna.arena.state import arena_of
from puna.arena.upstreams import installed
from puna.client import ClientError, OllamaClient
from puna.serving.requestlog import note
from puna.serving.wire import json_response


async def health(request: Request) -> Response:
    """The service itself is up, whatever the upstream is (H2). The name is the document's, which clients look for."""
    found = await arena_of(request).health.models()
    status = "degraded" if found is None else "healthy"
    return json_response({"status": status, "service": "ollama-arena", "models_available": found or 0})


async def models(request: Request) -> Response:
    client = _client(request, request.query_params.get("endpoint", ""))
    async with _asking(request, UpstreamFailed):
        return json_response({"models": await installed(client)})


async def pull(request: Request) -> Response:
    model, endpoint = await _named(request)
    _client(request, endpoint)
    await arena_of(request).downloads.start(model, endpoint)
    return json_response({"status": "downloading", "model": model})


async def delete(request: Request) -> Response:
    model, endpoint = await _named(request)
    client = _client(request, endpoint)
    async with _asking(request, DeleteFailed):
        await client.delete(model)
    return json_response({"status": "deleted", "model": model})


def _client(request: Request, endpoint: str) -> OllamaClient:
    return arena_of(request).upstreams.client(endpoint)


async def _named(request: Request) -> tuple[str, str]:
    """The model that the body names, and the endpoint, empty for the default. Raises `Refused`."""
    body: dict[str, Any] = await read_object(request, arena_of(request).config.max_body)
    model, endpoint = checked_name(body.get("model")), body.get("endpoint")
    note(request, model=model)
    return model, endpoint if isinstance(endpoint, str) else ""


@asynccontextmanager
async def _asking(request: Request, failed: type[UpstreamFailed | DeleteFailed]) -> AsyncIterator[None]:
    """Around one question to an upstream: its errors, and its silence (C6), as ours."""
    idle_s = arena_of(request).config.idle_s
    try:
        async with asyncio.timeout(idle_s):
            yield
    except ClientError as problem:
        raise failed(reason(problem)) from problem
    except TimeoutError:
        raise failed(silent(idle_s)) from None


ROUTES = (
    get("/api/health", health, public=True),
    get("/api/models", models),
    post("/api/pull_model", pull),
    post("/api/delete_model", delete),
)
