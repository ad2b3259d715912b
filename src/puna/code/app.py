"""The editors' HTTP face: door, log, routes, one mapping from errors to the wire (contract code-completion §1.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from puna.client import OllamaClient
from puna.code.completer import Completer
from puna.code.config import WireConfig
from puna.code.errors import error_response, on_bug, on_not_routed, on_puna_error, routed_path
from puna.code.metrics import Metrics
from puna.code.paths import Paths
from puna.code.routes import ROUTES
from puna.code.types import CodeConfig
from puna.errors import Forbidden, PunaError
from puna.keys import Keyring, Right
from puna.serving.bugs import Bugs
from puna.serving.callers import identify
from puna.serving.door import Door
from puna.serving.origins import Hosts, Origins
from puna.serving.requestlog import RequestLog, note

_SHOW = "/api/show"  # reads, although it is a POST


def build_app(
    client: OllamaClient,
    config: CodeConfig,
    wire: WireConfig,
    *,
    hosts: Hosts,
    origins: Origins,
    keys: Keyring,
    loopback: bool,
) -> Starlette:
    """The ASGI application in front of one endpoint. It opens `client` before and closes it after serving."""
    completer = Completer(client, config)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with client, completer:
            yield

    app = Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        exception_handlers={PunaError: on_puna_error, HTTPException: on_not_routed},
    )
    app.router.redirect_slashes = False
    app.state.completer = completer
    app.state.config = config
    app.state.wire = wire
    app.state.metrics = Metrics(lambda: completer.counters)

    def judge(scope: Scope) -> Response | None:
        return _refusal(scope, keys)

    app.add_middleware(Bugs, answer=on_bug)
    app.add_middleware(Door, hosts=hosts, origins=origins, judge=judge, loopback=loopback, free_options=True)
    app.add_middleware(RequestLog, ended=app.state.metrics.ended)
    app.add_middleware(Paths)  # added last, it stands outermost
    return app


def _refusal(scope: Scope, keys: Keyring) -> Response | None:
    """What a caller who may not come in is answered (H6): 400, 401 or 403; None for who may."""
    request = Request(scope)
    try:
        caller = identify(scope, keys)
        reads = scope["method"] in ("GET", "HEAD") or routed_path(request) == _SHOW
        right = Right.READ if reads else Right.INFER
        if right not in caller.rights:
            raise Forbidden(f"this key may not do that: it lacks the right {right}")
    except PunaError as error:
        note(request, error=error.message)
        return error_response(routed_path(request), error)
    return None
