"""One mapping from `puna.errors` to the wire, in the form of the dialect whose route was called.

Native `{"error": text}` (contract ollama-http §1.4), OpenAI's object (§6.1), Anthropic's (§7).
"""

from __future__ import annotations

import secrets
from typing import Any

from starlette.responses import Response

from puna.errors import PunaError
from puna.serving.wire import encode

_OPENAI_TYPES = {400: "invalid_request_error", 404: "not_found_error"}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error", 529: "overloaded_error",
}  # fmt: skip


def native_error(error: PunaError) -> dict[str, Any]:
    return {"error": error.message}


def openai_error(error: PunaError) -> dict[str, Any]:
    """`param` names the field of the request that is wrong, where the error is about one."""
    kind = _OPENAI_TYPES.get(error.status, "api_error")
    param = getattr(error, "param", None)
    return {"error": {"message": error.message, "type": kind, "param": param, "code": None}}


def anthropic_error(error: PunaError) -> dict[str, Any]:
    kind = _ANTHROPIC_TYPES.get(error.status, "api_error")
    return {
        "type": "error",
        "error": {"type": kind, "message": error.message},
        "request_id": f"req_{secrets.token_hex(12)}",
    }


def error_response(path: str, error: PunaError) -> Response:
    """The answer to a request for `path` that ended in `error`."""
    shape = native_error
    if path.startswith("/v1/messages"):
        shape = anthropic_error
    elif path.startswith("/v1/"):
        shape = openai_error
    headers = {"Retry-After": "1"} if error.status == 503 else None
    return Response(encode(shape(error)), error.status, headers, media_type="application/json; charset=utf-8")
