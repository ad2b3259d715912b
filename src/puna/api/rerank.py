"""`POST /api/rerank` and `POST /v1/rerank`: documents sorted by how well they answer a query.

The request is the one that Jina, Cohere, vLLM and llama-server take. `relevance_score` is the model's own number and
nothing is done to it: a logit without bounds for most cross-encoders, a probability for those that end in one.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from puna.api.inference import subject_of
from puna.api.ollama.schemas import KeepAlive
from puna.api.openai.choices import object_response
from puna.api.openapi import takes
from puna.api.schemas import Wire
from puna.api.state import runtime
from puna.engine import Reranked, RerankRequest
from puna.serving.requestlog import note
from puna.serving.streams import answer
from puna.serving.wire import json_response
from puna.serving.zstd import read_json

MAX_DOCUMENTS = 1000

router = APIRouter(tags=["inference"])


def _text(value: object) -> str:
    text = value.get("text") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise ValueError("documents must be texts, or objects with a text")
    return text


def _check_query(value: str) -> str:
    if not value.strip():
        raise ValueError("query is empty")
    return value


def _check_documents(value: list[str]) -> list[str]:
    if not 0 < len(value) <= MAX_DOCUMENTS:
        raise ValueError(f"documents must hold 1 to {MAX_DOCUMENTS} texts, not {len(value)}")
    return value


def _check_top_n(value: int | None) -> int | None:
    if value is not None and value < 1:
        raise ValueError("top_n must be at least 1")
    return value


Document = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | dict[str, Any])]


class RerankBody(Wire):
    """`top_n`: how many results at most. `truncate`: cut documents that are too long instead of refusing them."""

    model: str = ""
    query: Annotated[str, AfterValidator(_check_query)] = Field(default="", validate_default=True)
    documents: Annotated[list[Document], AfterValidator(_check_documents)] = Field(
        default_factory=list, validate_default=True
    )
    top_n: Annotated[int | None, AfterValidator(_check_top_n)] = None
    return_documents: bool = False
    truncate: bool = True
    options: dict[str, Any] = Field(default_factory=dict)
    keep_alive: KeepAlive = None


@router.post("/api/rerank", openapi_extra=takes(RerankBody))
async def rerank(request: Request) -> Response:
    """Scores are the model's own: logits without bounds for most models. Compare them within one answer only."""
    started = time.monotonic_ns()
    body = await read_json(request, RerankBody)
    found = await _rerank(request, body)
    value = {
        "model": body.model,
        "results": _results(body, found),
        "total_duration": time.monotonic_ns() - started,
        "load_duration": found.load_ns,
        "prompt_eval_count": found.prompt_tokens,
    }
    return json_response(value)


@router.post("/v1/rerank", openapi_extra=takes(RerankBody))
async def openai_rerank(request: Request) -> Response:
    """Scores are the model's own: logits without bounds for most models. Compare them within one answer only."""
    body = await read_json(request, RerankBody, empty="EOF")
    found = await _rerank(request, body)
    usage = {"prompt_tokens": found.prompt_tokens, "total_tokens": found.prompt_tokens}
    return object_response({"object": "list", "model": body.model, "results": _results(body, found), "usage": usage})


async def _rerank(request: Request, body: RerankBody) -> Reranked:
    subject = subject_of(request, body.model, empty="model is required")
    subject.check_rerank()
    ask = RerankRequest(
        query=body.query,
        documents=body.documents,
        truncate=body.truncate,
        options=body.options,
        keep_alive_ns=body.keep_alive,
    )
    found = await answer(request, lambda: runtime(request).engine.rerank(subject, ask))
    note(request, prompt_tokens=found.prompt_tokens, load_ms=found.load_ns // 1_000_000)
    return found


def _results(body: RerankBody, found: Reranked) -> list[dict[str, Any]]:
    """The best first, `index` counts the request's documents."""
    rows: list[dict[str, Any]] = []
    for index in found.ranking[: body.top_n]:
        row: dict[str, Any] = {"index": index, "relevance_score": found.scores[index]}
        if body.return_documents:
            row["document"] = {"text": body.documents[index]}
        rows.append(row)
    return rows
