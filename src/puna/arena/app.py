"""The arena's HTTP face: log, headers, gate, routes, one mapping from errors to the wire (contract arena §1.2)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from puna.arena.config import ArenaConfig
from puna.arena.errors import on_bug, on_not_routed, on_puna_error
from puna.arena.gate import Gate
from puna.arena.routes import ROUTES
from puna.arena.routes.page import BUILT, page_files
from puna.arena.state import Arena
from puna.client import Endpoint
from puna.database import Database
from puna.errors import PunaError
from puna.serving.bugs import Bugs
from puna.serving.origins import Hosts
from puna.serving.requestlog import RequestLog, note

SAFETY = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
        "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""What browsers are told with every answer (R8): whatever a model wrote, nothing of it runs, and nothing is guessed."""


def build_app(
    endpoints: Mapping[str, Endpoint],
    config: ArenaConfig,
    hosts: Hosts,
    database: Database,
    *,
    page: Path = BUILT,
    locked: Callable[[], bool] = lambda: False,
) -> Starlette:
    """The ASGI application in front of the endpoints, the first of them the default.

    The database is opened when it is first needed, and closed at the end.
    """
    arena = Arena.build(endpoints, config, database)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with arena.opened():
            yield

    app = Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        exception_handlers={PunaError: on_puna_error, HTTPException: on_not_routed},
    )
    app.router.redirect_slashes = False
    app.state.arena = arena
    app.state.gate = Gate(hosts, config.cors, config.token, locked)
    app.state.page = page_files(page)
    if config.cors:
        app.add_middleware(
            CORSMiddleware, allow_origins=sorted(config.cors), allow_headers=["Authorization", "Content-Type"],
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"], expose_headers=["X-Request-Id"],
        )  # fmt: skip
    app.add_middleware(Bugs, answer=on_bug)
    app.add_middleware(CommonHeaders)
    app.add_middleware(RequestLog)  # added last, it stands outermost
    return app


class CommonHeaders:
    """Gives every answer an `X-Request-Id` (G1), which its line in the log has, too, and what is safe (R8)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope["state"]["request_id"] = request_id
        note(Request(scope), id=request_id)

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({"X-Request-Id": request_id, **SAFETY})
            await send(message)

        await self._app(scope, receive, named)
