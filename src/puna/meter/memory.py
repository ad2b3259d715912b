"""How much memory a model takes at its server (`/api/ps`), and making it leave (contract meter M21, M23, §21)."""

from __future__ import annotations

import asyncio

from puna.client import ClientError, OllamaClient
from puna.meter.cell import Loaded
from puna.meter.reading import Json, number

ANSWER_S = 5.0
UNLOAD_S = 10.0
_POLL_S = 0.1


async def loaded(client: OllamaClient, model: str) -> Loaded | None:
    """None when the model is not in memory, or the server does not say."""
    try:
        async with asyncio.timeout(ANSWER_S):
            found = next((entry for entry in await client.ps() if _is(entry, model)), None)
    except (ClientError, TimeoutError):
        return None
    if found is None:
        return None
    size, vram = number(found, "size") or 0, number(found, "size_vram") or 0
    return Loaded(size, min(vram, size), number(found, "context_length") or 0)


async def unloaded(client: OllamaClient, model: str) -> bool:
    """Ask for the model's memory back and wait; False when it is still there after 10 s, or nobody knows."""
    try:
        async with asyncio.timeout(UNLOAD_S):
            await client.unload(model)
            while any(_is(entry, model) for entry in await client.ps()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(_POLL_S)
    except (ClientError, TimeoutError):
        return False
    return True


def _is(entry: Json, model: str) -> bool:
    wanted = _tagged(model)
    return any(_tagged(name) == wanted for name in (entry.get("name"), entry.get("model")) if isinstance(name, str))


def _tagged(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
