"""`POST /v1/completions` (contract ollama-http §6.3): the prompt goes through the model's template, as on generate."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from puna.api.inference import load, subject_of
from puna.api.openai import answers
from puna.api.openai.asking import completion_requests, repeated
from puna.api.openai.choices import Opened, object_response, streamed, whole
from puna.api.openai.events import TextEvents
from puna.api.openai.schemas import OpenAICompletionBody
from puna.api.openapi import takes
from puna.api.state import runtime
from puna.engine import Engine, Subject
from puna.engine.requests import GenerateRequest
from puna.serving.zstd import read_json

router = APIRouter(tags=["openai"])


@router.post("/v1/completions", openapi_extra=takes(OpenAICompletionBody))
async def completions(request: Request) -> Response:
    body = await read_json(request, OpenAICompletionBody, empty="EOF")
    asks = completion_requests(body)
    subject = subject_of(request, body.model, adapters=body.adapters)
    subject.check_generate(asks[0])
    engine = runtime(request).engine
    choices = [each for ask in asks for each in repeated(ask, body.n)]
    before = [each.prompt if body.echo else "" for each in choices]
    events = TextEvents(body.model, before, body.n, body.stream_options.include_usage)
    if not asks[0].prompt:
        await load(request, subject, asks[0])
        if body.stream:
            return Response(events.loaded(), headers={"content-type": "text/event-stream"})
        return object_response(answers.loaded_answer(body.model))
    opened = [_opened(engine, subject, each) for each in choices]
    if body.stream:
        return streamed(request, opened, events)
    found = await whole(request, opened)
    dropped = sum(each.dropped_tokens for _, each in found[:: body.n])
    chunks = [chunk for chunk, _ in found]
    return object_response(answers.text_answer(body.model, chunks, before, body.n, dropped), dropped)


def _opened(engine: Engine, subject: Subject, ask: GenerateRequest) -> Opened:
    return lambda: engine.generate(subject, ask)
