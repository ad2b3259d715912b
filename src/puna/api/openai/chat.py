"""`POST /v1/chat/completions` (contract ollama-http §6.2)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from puna.api.inference import subject_of
from puna.api.openai import answers
from puna.api.openai.asking import chat_request, repeated
from puna.api.openai.choices import Opened, object_response, streamed, whole
from puna.api.openai.events import ChatEvents
from puna.api.openai.schemas import OpenAIChatBody
from puna.api.openapi import takes
from puna.api.state import runtime
from puna.engine import Engine, Subject
from puna.engine.requests import ChatRequest
from puna.serving.streams import answer
from puna.serving.zstd import read_json

router = APIRouter(tags=["openai"])


@router.post("/v1/chat/completions", openapi_extra=takes(OpenAIChatBody))
async def chat_completions(request: Request) -> Response:
    body = await read_json(request, OpenAIChatBody, empty="EOF")
    ask = chat_request(body)
    subject = subject_of(request, body.model, empty="model is required", adapters=body.adapters)
    subject.check_chat(ask)
    engine = runtime(request).engine
    if ask.render_only:
        return await _rendered(request, engine, subject, ask)
    opened = [_opened(engine, subject, each) for each in repeated(ask, body.n)]
    if body.stream:
        return streamed(request, opened, ChatEvents(body.model, body.n, body.stream_options.include_usage))
    found = await whole(request, opened)
    dropped = found[0][1].dropped_tokens
    return object_response(answers.chat_answer(body.model, [chunk for chunk, _ in found], dropped), dropped)


def _opened(engine: Engine, subject: Subject, ask: ChatRequest) -> Opened:
    return lambda: engine.chat(subject, ask)


async def _rendered(request: Request, engine: Engine, subject: Subject, ask: ChatRequest) -> Response:
    async def render() -> answers.Wire:
        async with engine.chat(subject, ask) as found:
            return answers.rendered_answer(subject.asked, found.rendered or "", found.image_count)

    return object_response(await answer(request, render))
