"""One mapping from errors to the wire, in the dialect of the path that was asked (contract code-completion §1.11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from puna.code.failures import CodeError
from puna.errors import PunaError
from puna.serving.bugs import log_bug
from puna.serving.requestlog import note
from puna.serving.wire import line

_CODES: Mapping[int, str] = {
    400: "error.invalid_request_format", 401: "error.unauthorized", 403: "error.unauthorized",
    404: "error.not_found", 405: "error.method", 408: "error.invalid_request_format",
    413: "error.too_long_request", 501: "error.not_supported", 502: "error.upstream", 503: "error.busy",
    504: "error.timeout",
}  # fmt: skip
_TYPES: Mapping[int, str] = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    405: "invalid_request_error", 408: "invalid_request_error", 413: "invalid_request_error",
    501: "not_supported_error", 503: "unavailable_error",
}  # fmt: skip
_NOT_ROUTED: Mapping[int, str] = {404: "there is nothing at this path", 405: "this path takes another method"}
_BUG = "internal error; the server's log says where"
_LLAMACPP = ("/infill", "/completion", "/health")


def error_response(path: str, error: PunaError) -> Response:
    """The answer to a request for `path` (as routed, without a mount's prefix) that ended in `error`."""
    headers = {"Retry-After": "1"} if error.status == 503 else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if path.startswith("/api/"):
        value = native_error(error)
    elif path in _LLAMACPP:
        value = llamacpp_error(error)
    else:
        value = openai_error(error)
    return Response(line(value), error.status, headers, media_type="application/json")


def native_error(error: PunaError) -> dict[str, Any]:
    return {"error": error.message, "code": code_of(error)}


def openai_error(error: PunaError) -> dict[str, Any]:
    """`param` names the field of the request that is wrong, where the error is about one."""
    param = getattr(error, "param", None)
    return {"error": {"message": error.message, "type": _type_of(error), "param": param, "code": code_of(error)}}


def llamacpp_error(error: PunaError) -> dict[str, Any]:
    return {"error": {"code": error.status, "message": error.message, "type": _type_of(error)}}


def code_of(error: PunaError) -> str:
    if isinstance(error, CodeError):
        return error.code
    return _CODES.get(error.status, CodeError.code)


def unexpected(error: Exception) -> CodeError:
    """Log a bug of ours and give what the client is told."""
    log_bug(error)
    return CodeError(_BUG)


async def on_puna_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PunaError)
    note(request, error=error.message)
    return error_response(routed_path(request), error)


async def on_not_routed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = PunaError(_NOT_ROUTED.get(error.status_code, error.detail), status=error.status_code)
    response = error_response(routed_path(request), told)
    response.headers.update(error.headers or {})
    return response


def on_bug(request: Request) -> Response:
    return error_response(routed_path(request), CodeError(_BUG))


def routed_path(request: Request) -> str:
    """The path without the prefix that the app is mounted under."""
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))


def _type_of(error: PunaError) -> str:
    return _TYPES.get(error.status, "server_error")
