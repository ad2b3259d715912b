"""What clients ask beside completions: models, versions, health, settings, events (contract code-completion §1.10)."""

from __future__ import annotations

import os
import platform
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from puna import OLLAMA_LEVEL, __version__
from puna.code.answering import completer_of, json_line
from puna.code.failures import StillLoading, UnknownModel
from puna.code.metrics import CONTENT_TYPE, Metrics
from puna.code.naming import DEFAULT, listed, shown
from puna.code.reading import read
from puna.serving.bodies import Wire
from puna.serving.wire import line

Json = dict[str, Any]


class ModelBody(Wire):
    model: str = ""
    name: str = ""  # as older clients write it

    @property
    def asked(self) -> str:
        return self.model or self.name


class EventBody(Wire):
    type: str = ""


async def alive(request: Request) -> Response:
    return PlainTextResponse("Ollama is running")  # the text that clients look for


async def version(request: Request) -> Response:
    return json_line({"version": OLLAMA_LEVEL})


async def tags(request: Request) -> Response:
    return json_line({"models": await _models(request)})


async def ps(request: Request) -> Response:
    return json_line({"models": await completer_of(request).ps()})


async def show(request: Request) -> Response:
    body = await read(request, ModelBody)
    return json_line(shown(await completer_of(request).served(body.asked)))


async def pull(request: Request) -> Response:
    """K2: what is listed is here. Nothing is fetched: models are managed where they are stored."""
    body = await read(request, ModelBody)
    if body.asked not in {model["name"] for model in await _models(request)}:
        raise UnknownModel(body.asked)
    return Response(line({"status": "success"}), media_type="application/x-ndjson")


async def models(request: Request) -> Response:
    """The names of `/api/tags` in OpenAI's shape (R9)."""
    data = [
        {"id": model["name"], "object": "model", "created": 0, "owned_by": "puna"} for model in await _models(request)
    ]
    return json_line({"object": "list", "data": data})


async def health(request: Request) -> Response:
    """Tabby's keys, and what llama.cpp's clients look for (K4). Raises `StillLoading`."""
    completer = completer_of(request)
    if completer.loading:
        raise StillLoading
    value: Json = {
        "status": "ok",
        "model": request.app.state.config.model or DEFAULT,
        "device": "experimental_http",
        "arch": platform.machine(),
        "cpu_info": platform.processor() or platform.machine(),
        "cpu_count": os.cpu_count() or 1,
        "cuda_devices": [],
        "version": {
            "build_date": "",
            "build_timestamp": "",
            "git_sha": "",
            "git_describe": f"puna {__version__}",
        },
        "webserver": False,
    }
    return json_line(value)


async def server_setting(request: Request) -> Response:
    return json_line({"disable_client_side_telemetry": True})


async def events(request: Request) -> Response:
    """K5: counted here, sent nowhere."""
    body = await read(request, EventBody)
    _metrics(request).happened(body.type)
    return json_line({})


async def metrics(request: Request) -> Response:
    return Response(_metrics(request).page(), media_type=CONTENT_TYPE)


async def _models(request: Request) -> list[Json]:
    completer = completer_of(request)
    served = await completer.served()
    return listed(await completer.models(), served.name, request.app.state.config.families)


def _metrics(request: Request) -> Metrics:
    found: Metrics = request.app.state.metrics
    return found


ROUTES = (
    Route("/", alive, methods=["GET"]),
    Route("/api/version", version, methods=["GET"]),
    Route("/api/tags", tags, methods=["GET"]),
    Route("/api/ps", ps, methods=["GET"]),
    Route("/api/show", show, methods=["POST"]),
    Route("/api/pull", pull, methods=["POST"]),
    Route("/v1/models", models, methods=["GET"]),
    Route("/models", models, methods=["GET"]),
    Route("/v1/health", health, methods=["GET", "POST"]),
    Route("/health", health, methods=["GET"]),
    Route("/v1beta/server_setting", server_setting, methods=["GET"]),
    Route("/v1/events", events, methods=["POST"]),
    Route("/metrics", metrics, methods=["GET"]),
)
