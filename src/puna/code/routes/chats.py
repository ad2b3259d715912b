"""`POST /v1/chat/completions`, also without `/v1`: the model's own chat template, no code template (contract R2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from puna.code.answering import json_line
from puna.code.failures import NotSupported
from puna.code.openai_shapes import DONE, ChatShape, error_event, finish_reason, usage
from puna.code.reading import read, stops
from puna.code.routes.chatting import Json, chat_lines, whole_chat
from puna.code.routes.openai import StreamOptions
from puna.errors import FieldRefused
from puna.serving.bodies import Wire
from puna.serving.requestlog import note
from puna.serving.streams import EventStream


class Message(Wire):
    role: str = "user"
    content: Any = None


class ChatBody(Wire):
    model: str = ""
    messages: list[Message] = Field(default_factory=list)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: Any = None

    def ask(self) -> Json:
        """The body of `/api/chat` that says the same. Raises `FieldRefused`, `NotSupported`."""
        if not self.messages:
            raise FieldRefused("messages is required", "messages")
        limit = self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        options = {
            "num_predict": limit,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "stop": list(stops(self.stop)) or None,
        }
        return {
            "model": self.model,
            "messages": [{"role": each.role, "content": _text(each.content)} for each in self.messages],
            "options": {name: value for name, value in options.items() if value is not None},
        }


async def chat_completions(request: Request) -> Response:
    body = await read(request, ChatBody)
    note(request, model=body.model)
    ask, shape = body.ask(), ChatShape(body.model)
    if body.stream:
        return EventStream(_events(request, ask, shape, body.stream_options), error_event)
    last = await whole_chat(request, ask)
    message = last["message"]
    choice = shape.choice(0, message["content"], finish_reason(last.get("done_reason")), **_reasoning(message))
    return json_line(shape.whole([choice], _used(last)))


async def _events(request: Request, ask: Json, shape: ChatShape, options: StreamOptions) -> AsyncGenerator[bytes]:
    first, last = True, {}
    async with aclosing(chat_lines(request, ask)) as lines:
        async for last in lines:
            message = last.get("message") or {}
            reason = finish_reason(last.get("done_reason")) if last.get("done") else None
            if data := shape.chunks(0, message.get("content") or "", reason, first=first, **_reasoning(message)):
                first = False
                yield data
    if options.include_usage:
        yield shape.used(_used(last))
    yield DONE


def _text(content: object) -> str:
    """A message's text; lists of parts are joined. Raises `FieldRefused`, `NotSupported` for other parts than text."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise FieldRefused("messages: content must be a text or a list of parts", "messages")
    if any(part.get("type") != "text" or not isinstance(part.get("text"), str) for part in content):
        raise NotSupported("messages: only text parts can be read here")
    return "".join(part["text"] for part in content)


def _reasoning(message: Json) -> dict[str, str]:
    thinking = message.get("thinking")
    return {"reasoning": thinking} if thinking else {}


def _used(last: Json) -> Json:
    return usage(last.get("prompt_eval_count") or 0, last.get("eval_count") or 0)


ROUTES = (
    Route("/v1/chat/completions", chat_completions, methods=["POST"]),
    Route("/chat/completions", chat_completions, methods=["POST"]),
)
