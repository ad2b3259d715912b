"""The door: Host, Origin and caller are judged before a request's body is read and before any route runs.

One ASGI middleware (contract ollama-http §8, threats T19 to T22). A foreign Host or Origin is an empty 403; who may
come in is the face's own question.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from puna.serving.origins import Hosts, Origins, same_origin

Judge = Callable[[Scope], Response | None]
"""Looks at the head of a request and gives the refusal, or None for a caller who may come in."""

_METHODS = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
_STAINLESS = (
    "arch", "async", "custom-poll-interval", "helper-method", "lang", "os", "package-version", "poll-helper",
    "retry-count", "runtime", "runtime-version", "timeout",
)  # fmt: skip
_HEADERS = ",".join(
    ("Authorization", "Content-Type", "User-Agent", "Accept", "X-Requested-With", "OpenAI-Beta",
     "x-api-key", "anthropic-version", *(f"x-stainless-{name}" for name in _STAINLESS))
)  # fmt: skip


class Door:
    """Lets through what names this server, comes from a listed origin and satisfies `judge`.

    OPTIONS without an origin is answered by the reference's rule about the Host, with `free_options` always by 204.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Hosts,
        origins: Origins,
        judge: Judge,
        loopback: bool,
        free_options: bool = False,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins
        self._judge = judge
        self._loopback = loopback
        self._free_options = free_options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no WebSocket is served; uvicorn answers 403
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        allowed = origin is not None and self._origins.allow(origin)
        refusal = self._refuse(scope, headers, allowed)
        if refusal is None and allowed and origin is not None and not same_origin(origin, headers.get("host", "")):
            send = _with_cors(send, "*" if self._origins.any else origin)
        if refusal is None:
            refusal = self._preflight(scope, headers, allowed) or self._judge(scope)
        await (refusal or self._app)(scope, receive, send)

    def _refuse(self, scope: Scope, headers: Headers, origin_allowed: bool) -> Response | None:
        origin = headers.get("origin")
        hosts = headers.getlist("host")
        if origin is None:
            foreign = headers.get("sec-fetch-site") == "cross-site"
        else:
            foreign = not origin_allowed and not same_origin(origin, headers.get("host", ""))
        if foreign or len(headers.getlist("origin")) > 1 or len(hosts) != 1 or not self._hosts.allow(hosts[0]):
            return Response(status_code=403)
        return None

    def _preflight(self, scope: Scope, headers: Headers, allowed: bool) -> Response | None:
        if scope["method"] != "OPTIONS":
            return None
        if allowed:
            vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
            answer = {
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": _HEADERS,
                "Access-Control-Max-Age": "43200",
                "Vary": vary,
            }
            return Response(status_code=204, headers=answer)
        named = not headers["host"].startswith("[") and not headers["host"][:1].isdigit()
        if self._free_options or (self._loopback and named):
            return Response(status_code=204)
        return Response("405 method not allowed", 405, media_type="text/plain")


def _with_cors(send: Send, origin: str) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = origin
            if origin != "*":
                headers.add_vary_header("Origin")
        await send(message)

    return wrapped
