"""The routes about the server itself, and the hosted service's, which are stubs here (contract §3.1, §3.14)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from puna import OLLAMA_LEVEL, __version__
from puna.api.state import runtime
from puna.errors import BadRequest, Forbidden, PunaError
from puna.serving.wire import json_response, read_body

router = APIRouter(tags=["server"])


@router.api_route("/", methods=["GET", "HEAD"])
async def heartbeat() -> Response:
    return PlainTextResponse("Ollama is running")


@router.api_route("/api/version", methods=["GET", "HEAD"])
async def version() -> Response:
    """Clients compare it to gate features, so it names the level of Ollama's API, not Puna's own version."""
    return json_response({"version": OLLAMA_LEVEL})


@router.get("/api/status")
async def status(request: Request) -> Response:
    """Ollama's `cloud` object, and what a supervisor asks for: alive, which version, what is loaded and waiting."""
    engine = runtime(request).engine
    running = engine.running()
    puna = {
        "status": "ok",
        "version": __version__,
        "models_loaded": len(running),
        "requests_active": sum(model.busy for model in running),
        "requests_queued": engine.queued(),
    }
    return json_response({"cloud": {"disabled": True, "source": "env"}, "puna": puna})


@router.post("/api/me")
async def me() -> Response:
    raise PunaError("unauthorized", status=401)


@router.post("/api/signout")
async def signout() -> Response:
    raise PunaError("you are not currently signed in", status=401)


@router.delete("/api/user/keys/{key}")
async def delete_key(key: str) -> Response:
    raise PunaError("you are not currently signed in", status=401)


@router.post("/api/experimental/web_search")
async def web_search(request: Request) -> Response:
    return await _no_cloud(request, "web search")


@router.post("/api/experimental/web_fetch")
async def web_fetch(request: Request) -> Response:
    return await _no_cloud(request, "web fetch")


async def _no_cloud(request: Request, what: str) -> Response:
    if not (await read_body(request)).strip():
        raise BadRequest("missing request body")
    raise Forbidden(f"ollama cloud is disabled: {what} is unavailable")


@router.get("/api/experimental/model-recommendations")
async def recommendations() -> Response:
    return json_response({"recommendations": []})
