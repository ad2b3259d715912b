"""Who may come in: which servers need a key, and whose key a request carries (threats T19, T22).

A key is a bearer token or stands in `x-api-key`. What its caller may do is the face's own question.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from puna.errors import BadRequest, PunaError
from puna.keys import ANYBODY, Caller, KeyFile, Keyring
from puna.serving.origins import is_loopback
from puna.serving.requestlog import note
from puna.settings import Settings

HEARTBEAT = "/"  # the one route that needs no key


def keyring(settings: Settings, host: str, *, no_auth: bool, harm: str, companion: str | None = None) -> Keyring:
    """The keys that a server at `host` accepts. Raises `PunaError` where anybody could come in unasked.

    `harm` says what they could then do: "use your models".
    """
    guarded = not (is_loopback(host) or no_auth)
    own = settings.api_key.get_secret_value() if settings.api_key else None
    keys = Keyring(KeyFile(settings.keys), own, always=guarded, companion=companion)
    if guarded and not keys.holds_any:
        raise PunaError(
            f"{host} can be reached from other machines: make a key for each caller with `puna key create`, "
            "set PUNA_API_KEY to a secret that all of them send, or start with --no-auth if everyone who can reach "
            f"this address may {harm}"
        )
    return keys


def identify(scope: Scope, keys: Keyring) -> Caller:
    """Whose key the request carries; anybody's where none is needed, as for `HEARTBEAT`.

    The caller is hung on the request for the log and for what is kept apart by caller; the key is not. Raises
    `PunaError` with 400 (two keys) or 401 (no key of ours).
    """
    scope.setdefault("state", {})["caller"] = ANYBODY
    if not keys.needed or (scope["path"] == HEARTBEAT and scope["method"] in ("GET", "HEAD")):
        return ANYBODY
    offered = _offered(Headers(scope=scope))
    caller = keys.identify(offered) if offered else None
    if caller is None:
        raise PunaError("unauthorized: send one of this server's API keys as a bearer token", status=401)
    scope["state"]["caller"] = caller
    note(Request(scope), caller=caller.name)
    return caller


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
