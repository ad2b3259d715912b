"""What a request holds: a JSON object of bounded size, and the id of its answer (arena G1, G2, C8; threats T14)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from puna.arena.failures import Refused
from puna.errors import BadRequest, PunaError
from puna.serving.wire import parse_json, read_body


async def read_object(request: Request, limit: int) -> dict[str, Any]:
    """The fields that are set: an empty body has none, and a `null` is not set. Raises `Refused`, or 413 over `limit`.

    NaN and infinities are numbers here, so that the field that holds one can be named.
    """
    body = await read_bytes(request, limit)
    if not body.strip():
        return {}
    try:
        value = parse_json(body, finite=False)
    except BadRequest:
        value = None
    if not isinstance(value, dict):
        raise Refused("Invalid JSON body")
    return {name: item for name, item in value.items() if item is not None}


async def read_bytes(request: Request, limit: int) -> bytes:
    """The body as it is. Raises 413 over `limit`."""
    try:
        return await read_body(request, limit=limit)
    except PunaError as error:
        if error.status == 413:
            raise PunaError("Request body too large", status=413) from None
        raise


def id_of(request: Request) -> str:
    """What `X-Request-Id` of its answer says."""
    found: str = request.state.request_id
    return found
