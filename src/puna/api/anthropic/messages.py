"""The routes: messages, whole and streamed, and the count of a prompt's tokens (contract ollama-http §7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from puna.api.anthropic import answers
from puna.api.anthropic.asking import prompt_request
from puna.api.anthropic.conversation import text_bytes
from puna.api.anthropic.schemas import AnthropicCountBody, AnthropicMessagesBody
from puna.api.inference import concatenated, subject_of
from puna.api.openapi import takes
from puna.api.state import runtime
from puna.api.timing import timed
from puna.engine import Answer, Chunk, Subject
from puna.engine.requests import ChatRequest
from puna.serving.streams import EventStream, answer
from puna.serving.wire import line
from puna.serving.zstd import read_json

router = APIRouter(tags=["anthropic"])


@router.post("/v1/messages", openapi_extra=takes(AnthropicMessagesBody))
async def messages(request: Request) -> Response:
    body = await read_json(request, AnthropicMessagesBody)
    subject, ask = _asked(request, body)
    if body.stream:
        return _streamed(request, body, subject, ask)

    async def whole() -> Response:
        async with runtime(request).engine.chat(subject, ask) as found:
            chunk = concatenated([chunk async for batch in timed(request, found) for chunk in _shown(batch, body)])
            message = answers.message(body.model, chunk, body.stop_sequences, found.dropped_tokens)
            response = _json(message)
            response.raw_headers.extend(_dropped(found))
            return response

    return await answer(request, whole)


def _streamed(request: Request, body: AnthropicMessagesBody, subject: Subject, ask: ChatRequest) -> Response:
    async def events() -> AsyncGenerator[bytes]:
        words = answers.MessageEvents(body.model, text_bytes(ask.messages), body.stop_sequences)
        async with runtime(request).engine.chat(subject, ask) as found:
            async for batch in timed(request, found):
                if not words.started:
                    stream.first_headers.extend(_dropped(found))
                yield words.feed(_shown(batch, body), found.dropped_tokens)

    stream = EventStream(events(), answers.error_event)
    return stream


@router.post("/v1/messages/count_tokens", openapi_extra=takes(AnthropicCountBody))
async def count_tokens(request: Request) -> Response:
    """Puna's own: the tokens of the prompt as the model would really see it."""
    body = await read_json(request, AnthropicCountBody)
    subject, ask = _asked(request, body)
    engine = runtime(request).engine
    return _json({"input_tokens": await answer(request, lambda: engine.count_tokens(subject, ask))})


def _asked(request: Request, body: AnthropicCountBody) -> tuple[Subject, ChatRequest]:
    """The model and what to ask it. `think` means nothing to a model that cannot, and is no error here (§7)."""
    ask = prompt_request(body)
    subject = subject_of(request, body.model)
    if "thinking" not in subject.capabilities:
        ask = replace(ask, think=None)
    subject.check_chat(ask)
    return subject, ask


def _shown(batch: list[Chunk], body: AnthropicMessagesBody) -> list[Chunk]:
    """What of the answer the caller wants to see: with `thinking.display` "omitted" the model's thoughts stay here."""
    return [replace(chunk, thinking="") for chunk in batch] if body.thinking.display == "omitted" else batch


def _dropped(found: Answer) -> list[tuple[bytes, bytes]]:
    """The header that says how much of the prompt did not fit; nothing is cut in silence."""
    return [(b"x-puna-dropped-tokens", b"%d" % found.dropped_tokens)] if found.dropped_tokens else []


def _json(value: object) -> Response:
    return Response(line(value), media_type="application/json")
