"""One line per request: which model, how it ended, how long it took. Never prompts or keys."""

from __future__ import annotations

import logging
import time

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("puna.requests")


class RequestLog:
    """Routes `note` fields (`model`, token counts); the line is written when the answer ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        noted: dict[str, object] = {}
        status = 0
        scope.setdefault("state", {})["log"] = noted

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            ms = round((time.monotonic() - started) * 1000, 1)
            fields = {"method": scope["method"], "path": scope["path"], "status": status, "ms": ms, **noted}
            log.info("request", extra={"fields": fields})


def note(request: Request, **fields: object) -> None:
    """Add fields to the request's log line."""
    request.scope["state"]["log"].update(fields)
