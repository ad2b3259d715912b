"""Who may come in: host, origin and token, in this order (contract arena G3, G5, A1 to A4; threats T19 to T22).

It stands inside the routes, since the contract answers unknown paths and wrong methods first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from puna.arena.failures import ArenaError
from puna.serving.origins import Hosts, same_origin


@dataclass(frozen=True, slots=True)
class Gate:
    hosts: Hosts
    cors: frozenset[str]
    token: str
    locked: Callable[[], bool] = lambda: False
    """Whether a secret is asked for that nobody has: keys were made for the runtime after this arena had started."""

    def check(self, headers: Headers, *, public: bool) -> None:
        """Raises `ArenaError` with 403 or 401. A `public` route needs no token and may be linked to."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self.hosts.allow(hosts[0]):
            raise ArenaError("Host not allowed", status=403)
        strange = [origin for origin in origins if not (same_origin(origin, hosts[0]) or origin.lower() in self.cors)]
        hidden = not origins and not public and headers.get("sec-fetch-site") == "cross-site"
        if strange or hidden or len(origins) > 1:
            raise ArenaError("Origin not allowed", status=403)
        if self.token and not public:
            self._check_token(headers.getlist("authorization"))
        elif not public and self.locked():
            raise ArenaError("This server asks for keys now: set WEB_CHAT_TOKEN and start it again", status=403)

    def _check_token(self, sent: list[str]) -> None:
        scheme, _, given = (sent[0] if len(sent) == 1 else "").partition(" ")
        given = given.strip()
        if scheme.lower() != "bearer" or not given:
            raise ArenaError("Missing or invalid Authorization header", status=401)
        if not compare_digest(given.encode("latin-1"), self.token.encode()):
            raise ArenaError("Invalid authorization token", status=401)


class Guarded:
    """Around one route; the gate is the application's."""

    def __init__(self, app: ASGIApp, *, public: bool = False) -> None:
        self._app = app
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate: Gate = scope["app"].state.gate
        gate.check(Headers(scope=scope), public=self._public)
        await self._app(scope, receive, send)
