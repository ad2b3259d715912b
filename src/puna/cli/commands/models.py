"""`puna cp`, `puna rm` and `puna stop`: what is done to models by name (contract ollama-store §6.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from puna.cli.connection import reached
from puna.cli.terminal import note, printable
from puna.client.client import OllamaClient
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError
from puna.errors import NotFound
from puna.names import model_not_found


def copy(source: str, destination: str) -> int:
    asyncio.run(_copy(reached(), source, destination))
    print(printable(f"copied '{source}' to '{destination}'"))
    return 0


def remove(models: Sequence[str]) -> int:
    """Unload and delete one model after the other; the first failure ends the command."""
    asyncio.run(_remove(reached(), models))
    return 0


def stop(model: str) -> int:
    asyncio.run(_stop(reached(), model))
    return 0


async def _copy(endpoint: Endpoint, source: str, destination: str) -> None:
    async with OllamaClient(endpoint) as client:
        await client.copy(source, destination)


async def _remove(endpoint: Endpoint, models: Sequence[str]) -> None:
    async with OllamaClient(endpoint) as client:
        for model in models:
            await _unload(client, model)
            try:
                await client.delete(model)
            except ClientError as error:
                raise model_not_found(model) if error.status == 404 else error from None
            print(printable(f"deleted '{model}'"))


async def _unload(client: OllamaClient, model: str) -> None:
    """Free the model's memory; failing at that is no reason to keep its files."""
    try:
        await client.unload(model)
    except ClientError as error:
        if error.status not in (400, 404):  # no such name, no such model: the deletion says so
            note(f"Warning: unable to stop model '{model}'")


async def _stop(endpoint: Endpoint, model: str) -> None:
    async with OllamaClient(endpoint) as client:
        try:
            await client.unload(model)
        except ClientError as error:
            if error.status == 404:
                raise NotFound(f'couldn\'t find model "{model}" to stop') from None
            raise
