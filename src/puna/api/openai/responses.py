"""`POST /v1/responses`, stateless (contract ollama-http §6.6): what would need a stored conversation is refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from puna.api.inference import subject_of
from puna.api.openai.choices import DROPPED_HEADER
from puna.api.openai.effort import think_of
from puna.api.openai.responses_answer import ResponseEvents, ResponseObject
from puna.api.openai.responses_input import input_messages
from puna.api.openai.responses_schema import ResponsesBody
from puna.api.openai.responses_tools import Toolbox, toolbox
from puna.api.openapi import takes
from puna.api.state import runtime
from puna.api.timing import timed
from puna.engine import Answer, Final, Subject
from puna.engine.requests import ChatRequest
from puna.errors import FieldRefused
from puna.serving.streams import EventStream, answer
from puna.serving.wire import line
from puna.serving.zstd import read_json

router = APIRouter(tags=["openai"])

Headers = dict[str, str]

_STATEFUL = "is not supported: no answer is stored here; send the whole conversation as input"
_LOGPROBS = "message.output_text.logprobs"  # the value of `include` that asks for them


@router.post("/v1/responses", openapi_extra=takes(ResponsesBody))
async def responses(request: Request) -> Response:
    body = await read_json(request, ResponsesBody, empty="EOF")
    _refuse(body)
    tools = toolbox(body.tools, body.tool_choice)
    ask = _ask(body, tools)
    subject = subject_of(request, body.model, empty="model is required")
    subject.check_chat(ask)
    response = ResponseObject(body, tools)
    if body.stream:
        return _streamed(request, subject, ask, response, tools)

    async def whole() -> Response:
        final: Final | None = None
        async with runtime(request).engine.chat(subject, ask) as found:
            async for batch in timed(request, found):
                for chunk in batch:
                    response.output.feed(chunk)
                    final = chunk.final
            response.output.finish()
            data = line(response.completed(final, found.dropped_tokens))
            return Response(data, headers=_told(found, tools), media_type="application/json")

    return await answer(request, whole)


def _streamed(
    request: Request, subject: Subject, ask: ChatRequest, response: ResponseObject, tools: Toolbox
) -> Response:
    words = ResponseEvents(response)

    async def events() -> AsyncGenerator[bytes]:
        async with runtime(request).engine.chat(subject, ask) as found:
            async for batch in timed(request, found):
                if not words.started:
                    told = _told(found, tools)
                    stream.first_headers.extend((name.encode(), value.encode()) for name, value in told.items())
                yield words.feed(batch, found.dropped_tokens)

    stream = EventStream(events(), words.failed)
    return stream


def _told(found: Answer, tools: Toolbox) -> Headers:
    """What was left out of the request, said in headers: nothing is dropped in silence."""
    headers: Headers = {}
    if found.dropped_tokens:
        headers[DROPPED_HEADER] = str(found.dropped_tokens)
    if tools.left_out:
        headers["x-puna-ignored-tools"] = ", ".join(tools.left_out)
    return headers


def _refuse(body: ResponsesBody) -> None:
    """Raises `FieldRefused` for a field that would have an effect elsewhere and can have none here."""
    for field in ("previous_response_id", "conversation"):
        if getattr(body, field):
            raise FieldRefused(f"{field} {_STATEFUL}", field)
    if body.background:
        raise FieldRefused("background answers are not supported; leave background out", "background")
    if body.prompt:
        raise FieldRefused("prompt is not supported: no prompts are stored here; send instructions and input", "prompt")
    if body.text.verbosity != "medium":
        raise FieldRefused("text.verbosity is not supported; ask for short or long answers in words", "text.verbosity")


def _ask(body: ResponsesBody, tools: Toolbox) -> ChatRequest:
    messages = input_messages(body.instructions, body.input)
    if not messages:
        raise FieldRefused("input is required", "input")
    options = {
        "temperature": body.temperature,
        "top_p": body.top_p,
        "num_predict": body.max_output_tokens,
        "presence_penalty": body.presence_penalty,
        "frequency_penalty": body.frequency_penalty,
    }
    return ChatRequest(
        messages=messages,
        tools=[function.tool() for function in tools.functions],
        must_call=tools.must_call,
        parallel_tool_calls=body.parallel_tool_calls,
        options=options,
        format=_format(body.text.format),
        think=think_of(body.reasoning.effort, "reasoning.effort"),
        truncate=body.truncation == "auto",
        n_probs=body.top_logprobs if body.top_logprobs or _LOGPROBS in body.include else -1,
    )


def _format(wanted: dict[str, Any]) -> Any:
    match wanted:
        case {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return "json"
        case {"type": "json_schema", "schema": dict(schema)}:
            return schema
        case {"type": "json_schema"}:
            raise FieldRefused("text.format.schema must be a JSON Schema object", "text.format.schema")
    raise FieldRefused("text.format.type must be text, json_object or json_schema", "text.format.type")
