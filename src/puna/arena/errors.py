"""One mapping from errors to the wire (contract arena §1.3): `{"error"}`, with `details` where there is a reason."""

from __future__ import annotations

from html import escape

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from puna.arena.failures import NOT_FOUND, ArenaError
from puna.arena.unsaved import unsaved_by
from puna.errors import DatabaseFailed, PunaError
from puna.serving.requestlog import note
from puna.serving.wire import json_response

_PAGE = '<!doctype html><html lang="en"><title>{0}</title><h1>{0}</h1><p><a href="/">Puna</a></p></html>\n'


def error_response(request: Request, error: PunaError) -> Response:
    """JSON for the API and for scripts; a page for a person who came to an address that is none."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    if not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_PAGE.format(escape(error.message)), error.status, headers)
    value: dict[str, object] = {"error": error.message}
    if isinstance(error, ArenaError):
        if error.details:
            value["details"] = error.details
        value |= error.more
    response = json_response(value, error.status)
    response.headers.update(headers)
    return response


async def on_puna_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PunaError)
    if isinstance(error, DatabaseFailed):
        error = unsaved_by(error, request.method)
    note(request, error=getattr(error, "details", "") or error.message)
    return error_response(request, error)


async def on_not_routed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return error_response(request, ArenaError(NOT_FOUND, "There is nothing at this path", status=404))
    text = "Method not allowed" if error.status_code == 405 else error.detail
    response = error_response(request, ArenaError(text, status=error.status_code))
    response.headers.update(error.headers or {})
    return response


def on_bug(request: Request) -> Response:
    return error_response(request, ArenaError(details="The server's log says where"))
