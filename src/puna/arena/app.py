"""The arena's HTTP face: log, request ids, gate, routes, one mapping from errors to the wire (contract arena §1.2)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from puna.arena.asking import Asker
from puna.arena.config import ArenaConfig
from puna.arena.downloads import Downloads
from puna.arena.errors import on_bug, on_not_routed, on_puna_error
from puna.arena.gate import Gate
from puna.arena.routes import ROUTES
from puna.arena.state import Arena
from puna.arena.upstreams import Health, Upstreams
from puna.client import Endpoint
from puna.errors import PunaError
from puna.serving.bugs import Bugs
from puna.serving.origins import Hosts
from puna.serving.requestlog import RequestLog, note


def build_app(endpoints: Mapping[str, Endpoint], config: ArenaConfig, hosts: Hosts) -> Starlette:
    """The ASGI application in front of the endpoints, the first of them the default."""
    upstreams = Upstreams(endpoints)
    asker = Asker(upstreams, parallel=config.parallel, idle_s=config.idle_s)
    arena = Arena(config, upstreams, asker, Health(upstreams), Downloads(upstreams))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with upstreams:
            try:
                yield
            finally:
                await arena.downloads.close()
                await arena.health.close()

    app = Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        exception_handlers={PunaError: on_puna_error, HTTPException: on_not_routed},
    )
    app.router.redirect_slashes = False
    app.state.arena = arena
    app.state.gate = Gate(hosts, config.cors, config.token)
    if config.cors:
        app.add_middleware(
            CORSMiddleware, allow_origins=sorted(config.cors), allow_headers=["Authorization", "Content-Type"],
            allow_methods=["GET", "POST"],
        )  # fmt: skip
    app.add_middleware(Bugs, answer=on_bug)
    app.add_middleware(RequestIds)
    app.add_middleware(RequestLog)  # added last, it stands outermost
    return app


class RequestIds:
    """Gives every answer an `X-Request-Id` (G1), which its line in the log has, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        note(Request(scope), id=request_id)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        await self._app(scope, receive, named)
