"""The routes that run a model: generate, chat, embed and the legacy embeddings (contract ollama-http §3.5 to §3.8)."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from puna.api import inference
from puna.api.ollama import answers
from puna.api.ollama.ndjson import ndjson
from puna.api.ollama.schemas import ChatBody, EmbedBody, EmbeddingsBody, GenerateBody, MessageBody
from puna.api.openapi import takes
from puna.api.state import runtime
from puna.api.timing import timed
from puna.engine import Answer, Chunk
from puna.engine.requests import ChatRequest, EmbedRequest, GenerateRequest
from puna.errors import BadRequest, PunaError
from puna.prompts.messages import Attached, Message, ToolCall
from puna.serving.streams import answer
from puna.serving.wire import json_response, line, read_json

router = APIRouter(tags=["inference"])

Wire = dict[str, Any]


@router.post("/api/generate", openapi_extra=takes(GenerateBody))
async def generate(request: Request) -> Response:
    started = time.monotonic_ns()
    body = await read_json(request, GenerateBody)
    engine = runtime(request).engine
    subject = inference.subject_of(request, body.model, adapters=body.adapters)
    if not body.prompt and body.keep_alive_is_zero:
        engine.unload(subject)
        return json_response(_load_answer(body.model, {"response": ""}, "unload"))
    ask = GenerateRequest(
        prompt=body.prompt,
        suffix=body.suffix,
        system=body.system,
        template=body.template,
        context=body.context,
        raw=body.raw,
        images=_attached("images", body.images),
        **body.common(),
    )
    subject.check_generate(ask)
    if not body.prompt:
        await inference.load(request, subject, ask)
        return json_response(_load_answer(body.model, {"response": ""}, "load"))
    shapes = _Shapes(body.model, started, {"response": ""}, answers.generate_chunk, answers.generate_final)
    return await _respond(request, lambda: engine.generate(subject, ask), body.stream, shapes)


@router.post("/api/chat", openapi_extra=takes(ChatBody))
async def chat(request: Request) -> Response:
    started = time.monotonic_ns()
    body = await read_json(request, ChatBody)
    engine = runtime(request).engine
    subject = inference.subject_of(request, body.model, empty="model is required", adapters=body.adapters)
    nothing = {"message": {"role": "assistant", "content": ""}}
    if not body.messages and body.keep_alive_is_zero:
        engine.unload(subject)
        return json_response(_load_answer(body.model, nothing, "unload"))
    ask = ChatRequest(
        messages=[_message(item, f"messages[{number}]") for number, item in enumerate(body.messages)],
        tools=body.tools,
        **body.common(),
    )
    subject.check_chat(ask)
    if not body.messages:
        await inference.load(request, subject, ask)
        return json_response(_load_answer(body.model, nothing, "load"))

    def final(model: str, chunk: Chunk, counters: Mapping[str, int], context: list[int] | None) -> Wire:
        return answers.chat_final(model, chunk, counters)

    shapes = _Shapes(body.model, started, {"message": {"role": "", "content": ""}}, answers.chat_chunk, final)
    return await _respond(request, lambda: engine.chat(subject, ask), body.stream, shapes)


class _Shapes:
    """How one dialect's route words a stream: a line per chunk, a final object, a debug rendering."""

    def __init__(
        self,
        model: str,
        started_ns: int,
        empty: Wire,
        chunk: Callable[[str, Chunk], Wire],
        final: Callable[[str, Chunk, Mapping[str, int], list[int] | None], Wire],
    ) -> None:
        self.model = model
        self._started_ns = started_ns
        self._empty = empty
        self._chunk = chunk
        self._final = final

    def wire(self, chunk: Chunk, found: Answer) -> Wire:
        if chunk.final is None:
            return self._chunk(self.model, chunk)
        total_ns = time.monotonic_ns() - self._started_ns
        counters = answers.counters(chunk.final, total_ns=total_ns, load_ns=found.load_ns)
        return self._final(self.model, chunk, counters, found.context)

    def rendered(self, found: Answer) -> Wire:
        debug: Wire = {"rendered_template": found.rendered}
        if found.image_count:
            debug["image_count"] = found.image_count
        head = {"model": self.model, "created_at": answers.now_rfc3339(), **self._empty, "done": False}
        return {**head, "_debug_info": debug}


async def _respond(
    request: Request, opened: Callable[[], AbstractAsyncContextManager[Answer]], stream: bool, shapes: _Shapes
) -> Response:
    if stream:
        return ndjson(_lines(request, opened, shapes))

    async def whole() -> Wire:
        async with opened() as found:
            if found.rendered is not None:
                return shapes.rendered(found)
            chunk = inference.concatenated([chunk async for batch in timed(request, found) for chunk in batch])
            return shapes.wire(chunk, found)

    return json_response(await answer(request, whole))


async def _lines(
    request: Request, opened: Callable[[], AbstractAsyncContextManager[Answer]], shapes: _Shapes
) -> AsyncGenerator[bytes]:
    async with opened() as found:
        if found.rendered is not None:
            yield line(shapes.rendered(found))
            return
        async for batch in timed(request, found):
            yield b"".join([line(shapes.wire(chunk, found)) for chunk in batch])


def _load_answer(model: str, middle: Wire, reason: str) -> Wire:
    return {"model": model, "created_at": answers.now_rfc3339(), **middle, "done": True, "done_reason": reason}


def _message(body: MessageBody, where: str) -> Message:
    calls = tuple(
        ToolCall(call.id, call.function.name, call.function.arguments, call.function.index) for call in body.tool_calls
    )
    return Message(
        role=body.role.lower(),
        content=body.content,
        thinking=body.thinking,
        images=_attached(f"{where}.images", body.images),
        tool_calls=calls,
        tool_name=body.tool_name,
        tool_call_id=body.tool_call_id,
    )


def _attached(field: str, media: Sequence[bytes]) -> tuple[Attached, ...]:
    return tuple(Attached.at(f"{field}[{number}]", data) for number, data in enumerate(media))


@router.post("/api/embed", openapi_extra=takes(EmbedBody))
async def embed(request: Request) -> Response:
    started = time.monotonic_ns()
    body = await read_json(request, EmbedBody)
    inputs = _embed_inputs(body.input)
    subject = inference.subject_of(request, body.model, absent=f'model "{body.model}" not found, try pulling it first')
    subject.check_embed()
    ask = EmbedRequest(
        inputs=inputs,
        truncate=body.truncate,
        dimensions=body.dimensions,
        options=body.options,
        keep_alive_ns=body.keep_alive,
    )
    if not inputs:
        await inference.load(request, subject, ask)
        return json_response({"model": body.model, "embeddings": []})
    found = await inference.embed(request, subject, ask)
    value: Wire = {
        "model": body.model,
        "embeddings": found.vectors,
        "total_duration": time.monotonic_ns() - started,
        "load_duration": found.load_ns,
    }
    if found.prompt_tokens:
        value["prompt_eval_count"] = found.prompt_tokens
    return json_response(value)


def _embed_inputs(value: object) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise BadRequest("invalid input type")


@router.post("/api/embeddings", openapi_extra=takes(EmbeddingsBody))
async def embeddings(request: Request) -> Response:
    """The legacy route. Seed 002 names the key `embeddings`, clients read `embedding`: the same array under both."""
    body = await read_json(request, EmbeddingsBody)
    subject = inference.subject_of(
        request, body.model, empty="model is required", absent=f'model "{body.model}" not found, try pulling it first'
    )
    subject.check_embed()
    inputs = [body.prompt] if body.prompt else []
    ask = EmbedRequest(inputs=inputs, normalize=False, options=body.options, keep_alive_ns=body.keep_alive)
    if not inputs:
        await inference.load(request, subject, ask)
        return json_response({"embedding": [], "embeddings": []})
    try:
        vector = (await inference.embed(request, subject, ask)).vectors[0]
    except BadRequest as error:
        raise PunaError(error.message) from None
    return json_response({"embedding": vector, "embeddings": vector})
