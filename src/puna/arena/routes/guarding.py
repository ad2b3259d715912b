"""How a route is declared: its path, its methods, and whether it is open to all (contract arena A4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puna.arena.gate import Guarded

Handler = Callable[[Request], Awaitable[Response]]


def get(path: str, handler: Handler, *, public: bool = False) -> Route:
    """Answers HEAD, too (G4)."""
    return Route(path, handler, methods=["GET"], middleware=[Middleware(Guarded, public=public)])


def post(path: str, handler: Handler) -> Route:
    return Route(path, handler, methods=["POST"], middleware=[Middleware(Guarded)])


def resource(
    path: str,
    *,
    get: Handler | None = None,
    post: Handler | None = None,
    put: Handler | None = None,
    patch: Handler | None = None,
    delete: Handler | None = None,
) -> Route:
    """One route for a path with several methods, so that `Allow` lists all of them. HEAD is GET's (G4)."""
    named = {"GET": get, "POST": post, "PUT": put, "PATCH": patch, "DELETE": delete}
    handlers = {method: handler for method, handler in named.items() if handler is not None}

    async def dispatch(request: Request) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, dispatch, methods=list(handlers), middleware=[Middleware(Guarded)])
