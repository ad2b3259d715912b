"""Chats pass through: the endpoint applies the model's own template, no completion rule touches the text (R2, R8)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.requests import Request

from puna.code.answering import completer_of
from puna.code.errors import unexpected
from puna.errors import PunaError
from puna.serving.requestlog import note
from puna.serving.streams import answer

Json = dict[str, Any]


async def chat_lines(request: Request, ask: Mapping[str, Any]) -> AsyncGenerator[Json]:
    """The endpoint's lines for a body of `/api/chat`."""
    try:
        async with aclosing(completer_of(request).chat(ask)) as lines:
            async for said in lines:
                if said.get("done"):
                    note(
                        request,
                        input_tokens=_count(said, "prompt_eval_count"),
                        output_tokens=_count(said, "eval_count"),
                    )
                yield said
    except PunaError:
        raise
    except Exception as error:
        raise unexpected(error) from None


async def whole_chat(request: Request, ask: Mapping[str, Any]) -> Json:
    """All lines as one object. Raises `Cancelled` when the client goes away."""

    async def gather() -> Json:
        last: Json = {}
        message: Json = {"role": "assistant", "content": ""}
        async with aclosing(chat_lines(request, ask)) as lines:
            async for last in lines:
                _join(message, last.get("message") or {})
        return {**last, "message": message}

    return await answer(request, gather)


def _join(message: Json, more: Mapping[str, Any]) -> None:
    message["content"] += more.get("content") or ""
    if thinking := more.get("thinking"):
        message["thinking"] = message.get("thinking", "") + thinking
    if calls := more.get("tool_calls"):
        message["tool_calls"] = [*message.get("tool_calls", ()), *calls]


def _count(line: Mapping[str, Any], key: str) -> int:
    value = line.get(key)
    return value if isinstance(value, int) else 0
