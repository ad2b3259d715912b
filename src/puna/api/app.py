"""The runtime's HTTP face: guard, log, routes, and one mapping from errors to the wire."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Match

from puna import __version__
from puna.api import anthropic, metrics, ollama, openai, rerank
from puna.api.callers import refusal
from puna.api.errors import error_response
from puna.api.openapi import describe
from puna.api.rights import without_right
from puna.api.state import Runtime
from puna.errors import PunaError
from puna.keys import Keyring
from puna.serving.door import Door
from puna.serving.origins import Hosts, Origins
from puna.serving.requestlog import RequestLog, note

log = logging.getLogger(__name__)


def build_app(runtime: Runtime, *, hosts: Hosts, origins: Origins, keys: Keyring) -> FastAPI:
    """The ASGI application around one runtime. It owns engine and registry: started before, closed after serving."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with runtime.engine, runtime.registry:
            yield

    app = FastAPI(
        title="Puna",
        version=__version__,
        summary="Local language models behind Ollama's API.",
        docs_url=None,  # the interactive pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # the reference redirects with 301 and 307, see _not_routed
        lifespan=lifespan,
    )
    app.state.runtime = runtime
    app.state.metrics = metrics.Metrics(runtime.store, runtime.engine)
    native = (ollama.server, ollama.models, ollama.transfers, ollama.inference, ollama.tokens)
    for router in (*native, rerank.router, openai.router, anthropic.router, metrics.router):
        app.include_router(router)
    app.add_exception_handler(PunaError, _puna_error)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(Exception, _bug)
    judge = partial(refusal, keys=keys)
    app.add_middleware(Door, hosts=hosts, origins=origins, judge=judge, loopback=runtime.loopback)
    # Added last, it stands outermost: refusals are logged too.
    app.add_middleware(RequestLog, ended=app.state.metrics.ended)
    describe(app)
    forgotten = without_right(route.path for route in iter_route_contexts(app.routes))
    assert not forgotten, f"api/rights.py does not say who may use {forgotten}"
    return app


async def _puna_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PunaError)
    note(request, error=error.message)
    return error_response(request.url.path, error)


async def _bug(request: Request, error: Exception) -> Response:
    log.error("unexpected error on %s", request.url.path, exc_info=error)
    return error_response(request.url.path, PunaError("internal error; the server's log has the details"))


async def _not_routed(request: Request, error: Exception) -> Response:
    """Go's router texts for unknown paths and wrong methods (contract §1.1)."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 405:
        return PlainTextResponse("405 method not allowed", 405, dict(error.headers or {}))
    other = path.rstrip("/") if path.endswith("/") else path + "/"
    if error.status_code == 404 and other and _is_routed(request, other):
        return RedirectResponse(other, 301 if request.method == "GET" else 307)
    return PlainTextResponse("404 page not found", 404)


def _is_routed(request: Request, path: str) -> bool:
    scope = {**request.scope, "path": path}
    return any(route.matches(scope)[0] is not Match.NONE for route in request.app.router.routes)
