"""One line per request: which model, how it ended, how long it took. Never prompts or keys."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import perf_counter

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("puna.requests")

OTHER = "other"  # the route of a request that no route answered

Ended = Callable[[str, int, float, Mapping[str, object]], None]
"""Hears route, status, seconds and the noted fields of each request, for counting."""


class RequestLog:
    """Routes `note` fields (`model`, token counts). When the answer ends, the line is written and `ended` called."""

    def __init__(self, app: ASGIApp, ended: Ended | None = None) -> None:
        self._app = app
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        noted: dict[str, object] = {}
        status = 0
        scope.setdefault("state", {}).update(log=noted, started=started)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = perf_counter() - started
            fields = {
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "ms": round(seconds * 1000, 1),
            }
            log.info("request", extra={"fields": {**fields, **noted}})
            if self._ended is not None:
                self._ended(_route(scope), status, seconds, noted)


def _route(scope: Scope) -> str:
    """The template of the route that answered, never what a caller wrote; `other` where none did."""
    template: str | None = getattr(scope.get("route"), "path_format", None)
    return template or OTHER


def note(request: Request, **fields: object) -> None:
    """Add fields to the request's log line."""
    request.scope["state"]["log"].update(fields)


def add(request: Request, **amounts: int) -> None:
    """Add to fields that count: a request may have several answers."""
    noted = request.scope["state"]["log"]
    for field, amount in amounts.items():
        noted[field] = noted.get(field, 0) + amount
