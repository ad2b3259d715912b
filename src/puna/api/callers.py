"""Who sends a request, and whether they may: any accepted header becomes one caller (threats T19, T22).

A key is a bearer token or stands in `x-api-key`. The caller is hung on the request for the log and for what is kept
apart by caller; the key is not.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from puna.api.errors import error_response
from puna.api.rights import HEARTBEAT, needed_right
from puna.errors import BadRequest, Forbidden, PunaError
from puna.keys import ANYBODY, Caller, Keyring
from puna.serving.requestlog import note


def refusal(scope: Scope, keys: Keyring) -> Response | None:
    """What a caller who may not do this is answered: 400, 401 or 403; None for who may."""
    try:
        admit(scope, keys)
    except PunaError as error:
        note(Request(scope), error=error.message)
        answer = error_response(scope["path"], error)
        if error.status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    return None


def admit(scope: Scope, keys: Keyring) -> None:
    """Find out the caller. Raises `PunaError` with 400 (two keys), 401 (no key of ours) or 403 (its rights)."""
    scope.setdefault("state", {})["caller"] = ANYBODY
    if not keys.needed or (scope["path"] == HEARTBEAT and scope["method"] in ("GET", "HEAD")):
        return
    offered = _offered(Headers(scope=scope))
    caller = keys.identify(offered) if offered else None
    if caller is None:
        raise PunaError("unauthorized: send one of this server's API keys as a bearer token", status=401)
    scope["state"]["caller"] = caller
    note(Request(scope), caller=caller.name)
    right = needed_right(scope["path"])
    if right is not None and right not in caller.rights:
        raise Forbidden(f"this key may not do that: it lacks the right {right}")


def caller_of(request: Request) -> Caller:
    found: Caller = request.scope["state"]["caller"]
    return found


def caller_name(request: Request) -> str:
    """For the log: the key's name, or the address of a caller that needed none."""
    return caller_of(request).name or (request.client.host if request.client else "unknown")


def _offered(headers: Headers) -> bytes:
    """The key's bytes as they were sent, empty when there is none. Raises `BadRequest` for two different ones."""
    credentials = (value.partition(" ") for value in headers.getlist("authorization"))
    bearers = [token.strip() for scheme, _, token in credentials if scheme.lower() == "bearer"]
    found = {token for token in (*bearers, *headers.getlist("x-api-key")) if token}
    if len(found) > 1:
        raise BadRequest("two different keys in one request")
    return found.pop().encode("latin-1") if found else b""
