"""The steps of something long, as its route tells them (contract ollama-http §1.3, §3.13)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from puna.api.ollama.ndjson import ndjson
from puna.progress import Progress
from puna.serving.streams import answer
from puna.serving.wire import json_response, line


async def told(request: Request, steps: AsyncGenerator[Progress], *, stream: bool) -> Response:
    """Each step on a line of its own, or the last one alone. A caller who leaves closes `steps`."""
    if stream:
        return ndjson(_lines(steps))
    return json_response(await answer(request, lambda: _last(steps)))


async def _lines(steps: AsyncGenerator[Progress]) -> AsyncGenerator[bytes]:
    async with aclosing(steps):
        async for step in steps:
            yield line(step.to_wire())


async def _last(steps: AsyncGenerator[Progress]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    async with aclosing(steps):
        async for step in steps:
            value = step.to_wire()
    return value
