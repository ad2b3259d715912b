"""How a route is declared: its path, its one method, and whether it is open to all (contract arena A4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puna.arena.gate import Guarded

_Handler = Callable[[Request], Awaitable[Response]]


def get(path: str, handler: _Handler, *, public: bool = False) -> Route:
    """Answers HEAD, too (G4)."""
    return Route(path, handler, methods=["GET"], middleware=[Middleware(Guarded, public=public)])


def post(path: str, handler: _Handler) -> Route:
    return Route(path, handler, methods=["POST"], middleware=[Middleware(Guarded)])
