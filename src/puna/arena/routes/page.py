"""The page: its document at `/`, and the files that it loads (contract arena A4, §2.13 R8, R9)."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

from puna.arena.routes.guarding import get

BUILT = Path(__file__).parents[1] / "page"
"""Where Vite puts the page; it is no part of the repository."""

_NOT_BUILT = (
    "Puna's arena. Its API is under /api. Its page is not built yet: run `make setup` where Puna's source code is.\n"
)
_HASHED = "assets"  # a file of another content has another name there
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"  # the ETag makes that cheap
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""The same on every machine, whatever its own table of types says: browsers may not guess (R8)."""


def page_files(folder: Path = BUILT) -> StaticFiles:
    """The built page; nothing outside of `folder` can be had, and it need not be there yet."""
    return StaticFiles(directory=folder, check_dir=False)


async def index(request: Request) -> Response:
    try:
        return await _file(request, "index.html")
    except HTTPException:
        return PlainTextResponse(_NOT_BUILT)


async def static(request: Request) -> Response:
    return await _file(request, request.path_params["path"])


async def favicon(request: Request) -> Response:
    return await _file(request, "favicon.svg")


async def _file(request: Request, path: str) -> Response:
    """Raises `HTTPException` for a file that is not there."""
    files: StaticFiles = request.app.state.page
    response = await files.get_response(path, request.scope)
    name = PurePosixPath(path)
    response.headers["Cache-Control"] = _FOR_EVER if name.parts[0] == _HASHED else _ASK_FIRST
    if response.status_code == 200 and name.suffix in _TYPES:
        response.headers["Content-Type"] = _TYPES[name.suffix]
    return response


ROUTES = (
    get("/", index, public=True),
    get("/static/{path:path}", static, public=True),
    get("/favicon.ico", favicon, public=True),
)
