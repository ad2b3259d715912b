"""Whether who sends a request may do that: `serving.callers` finds out the caller, the route says what is needed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from puna.api.errors import error_response
from puna.api.rights import needed_right
from puna.errors import Forbidden, PunaError
from puna.keys import Keyring
from puna.serving.callers import identify
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
    caller = identify(scope, keys)
    right = needed_right(scope["path"])
    if right is not None and right not in caller.rights:
        raise Forbidden(f"this key may not do that: it lacks the right {right}")
