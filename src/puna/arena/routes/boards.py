"""The leaderboard, who beat whom, and the plots of both (contract arena §2.2, §2.6, §2.10)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from puna.arena.boardwire import leaderboard, matrix
from puna.arena.failures import NOT_FOUND, ArenaError, Refused
from puna.arena.plots import PLOTS, THEMES, View
from puna.arena.query import read_query
from puna.arena.routes.guarding import get
from puna.arena.standings import Standing
from puna.arena.state import arena_of
from puna.serving.wire import json_response


async def show(request: Request) -> Response:
    standing = await _standing(request)
    return json_response(await arena_of(request).standings.compute(lambda: leaderboard(standing)))


async def show_matrix(request: Request) -> Response:
    standing = await _standing(request)
    return json_response(await arena_of(request).standings.compute(lambda: matrix(standing)))


async def plot(request: Request) -> Response:
    """As SVG in a theme, or its words and table as JSON."""
    name, _, form = request.path_params["name"].rpartition(".")
    draw, theme = PLOTS.get(name), THEMES.get(request.query_params.get("theme") or "light")
    if draw is None or form not in ("svg", "json"):
        raise ArenaError(NOT_FOUND, f"Plots are {', '.join(PLOTS)}, each as .svg or .json", status=404)
    if theme is None:
        raise Refused(f"Invalid theme: must be one of {', '.join(THEMES)}")
    standings = arena_of(request).standings
    standing = await standings.settled(read_query(request.query_params))
    drawn = await standings.compute(lambda: draw(View.of(standing)))
    if form == "json":
        return json_response(drawn.wire())
    return Response(drawn.svg(theme), media_type="image/svg+xml")


async def _standing(request: Request) -> Standing:
    """Of the query's filters. Raises `Refused`."""
    return await arena_of(request).standings.standing(read_query(request.query_params))


ROUTES = (
    get("/api/arena/leaderboard", show),
    get("/api/arena/matrix", show_matrix),
    get("/api/arena/plots/{name}", plot),
)
