"""Paths as the router sees them: without a trailing slash, and without `/ollama` (contract code-completion H5, R12)."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

STRICT = "/ollama"  # the base URL for clients that know Ollama's answers only


class Paths:
    """Changes the scope in place, so that whatever stands around the router sees the route that it finds."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path == STRICT or path.startswith(f"{STRICT}/"):
                scope["root_path"] = STRICT
                path = path if path != STRICT else f"{STRICT}/"
            root: str = scope.get("root_path", "")
            scope["path"] = path[:-1] if path.endswith("/") and path != f"{root}/" else path
        await self._app(scope, receive, send)
