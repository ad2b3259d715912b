"""`POST /v1/embeddings` (contract ollama-http §6.5): numbers, or little-endian float32 in base64."""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from puna.api.inference import embed, subject_of
from puna.api.openai.choices import object_response
from puna.api.openai.schemas import OpenAIEmbeddingsBody
from puna.api.openapi import takes
from puna.engine.requests import EmbedRequest
from puna.errors import FieldRefused
from puna.serving.zstd import read_json

router = APIRouter(tags=["openai"])


@router.post("/v1/embeddings", openapi_extra=takes(OpenAIEmbeddingsBody))
async def openai_embeddings(request: Request) -> Response:
    body = await read_json(request, OpenAIEmbeddingsBody, empty="EOF")
    encoding = body.encoding_format.lower()
    if encoding not in ("float", "base64"):
        value = body.encoding_format[:64]
        raise FieldRefused(
            f"Invalid value for 'encoding_format' = {value}. Supported values: ['float', 'base64'].", "encoding_format"
        )
    ask = EmbedRequest(inputs=_inputs(body.input), truncate=body.truncate, dimensions=body.dimensions)
    subject = subject_of(request, body.model, absent=f'model "{body.model}" not found, try pulling it first')
    subject.check_embed()
    found = await embed(request, subject, ask)
    rows = [
        {"object": "embedding", "embedding": _base64(vector) if encoding == "base64" else vector, "index": index}
        for index, vector in enumerate(found.vectors)
    ]
    usage = {"prompt_tokens": found.prompt_tokens, "total_tokens": found.prompt_tokens}
    return object_response({"object": "list", "data": rows, "model": body.model, "usage": usage})


def _inputs(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if value is None or value == []:
        raise FieldRefused("invalid input", "input")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise FieldRefused("invalid input type", "input")


def _base64(vector: Sequence[float]) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()
