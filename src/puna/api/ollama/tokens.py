"""Puna's own routes between text and tokens: what a prompt costs, without asking the model anything.

`POST /api/tokenize {model, content}` → `{tokens}`, `POST /api/detokenize {model, tokens}` → `{content}`.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from puna.api.inference import subject_of
from puna.api.ollama.schemas import DetokenizeBody, TokenizeBody
from puna.api.openapi import takes
from puna.api.state import runtime
from puna.serving.streams import answer
from puna.serving.wire import json_response, read_json

router = APIRouter(tags=["inference"])


@router.post("/api/tokenize", openapi_extra=takes(TokenizeBody))
async def tokenize(request: Request) -> Response:
    """Control tokens in the text count as such, as in a raw prompt; none is added."""
    body = await read_json(request, TokenizeBody)
    subject = subject_of(request, body.model, empty="model is required")
    engine = runtime(request).engine
    return json_response({"tokens": await answer(request, lambda: engine.tokenize(subject, body.content))})


@router.post("/api/detokenize", openapi_extra=takes(DetokenizeBody))
async def detokenize(request: Request) -> Response:
    body = await read_json(request, DetokenizeBody)
    subject = subject_of(request, body.model, empty="model is required")
    engine = runtime(request).engine
    return json_response({"content": await answer(request, lambda: engine.detokenize(subject, body.tokens))})
