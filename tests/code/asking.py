"""A `Completer` in front of a scripted upstream, and short ways to ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from puna.client import OllamaClient
from puna.code.completer import Completer
from puna.code.types import CodeConfig, CompletionRequest, Outcome
from tests.code.scripted import Scripted, upstream


@asynccontextmanager
async def completing(server: Scripted, **config: Any) -> AsyncIterator[Completer]:
    async with (
        upstream(server) as (_, endpoint),
        OllamaClient(endpoint) as client,
        Completer(client, CodeConfig(**config)) as completer,
    ):
        yield completer


async def pieces_of(completer: Completer, prompt: str, suffix: str = "", **fields: Any) -> tuple[list[str], Outcome]:
    """The pieces with text, and how it ended."""
    texts = []
    outcome = None
    async with aclosing(completer.complete(CompletionRequest(prompt, suffix, **fields))) as pieces:
        async for piece in pieces:
            if piece.text:
                texts.append(piece.text)
            outcome = piece.outcome
    assert outcome is not None
    return texts, outcome


async def complete(completer: Completer, prompt: str, suffix: str = "", **fields: Any) -> tuple[str, Outcome]:
    texts, outcome = await pieces_of(completer, prompt, suffix, **fields)
    return "".join(texts), outcome


async def until(condition: Callable[[], object]) -> None:
    """Wait until something came about; a test that waits in vain ends by its own limit."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)
