"""`puna push`: a model to its registry (contract ollama-store §3.5, §6.2)."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from puna.cli.connection import server
from puna.cli.progress import Progress
from puna.client.client import OllamaClient
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError
from puna.errors import Forbidden
from puna.names import ModelName

DENIED = "you are not authorized to push to this namespace, create the model under a namespace you own"
_OLLAMA_HOSTS = (".ollama.ai", ".ollama.com")


def push(model: str, *, insecure: bool = False) -> int:
    """Push the model, then say where it is."""
    destination = destination_of(ModelName.parse(model))
    with server() as endpoint:
        asyncio.run(_push(endpoint, model, insecure=insecure))
    print(f"\nYou can find your model at:\n\n\t{destination}")
    return 0


def destination_of(name: ModelName) -> str:
    """Where a person finds the pushed model: its page on ollama.com, elsewhere its full name."""
    if name.host.lower().endswith(_OLLAMA_HOSTS):
        return f"https://ollama.com/{name.shortest.removesuffix(':latest')}"
    return name.full


async def _push(endpoint: Endpoint, model: str, *, insecure: bool) -> None:
    async with OllamaClient(endpoint) as client:
        try:
            with Progress() as progress:
                async with aclosing(client.push(model, insecure=insecure)) as lines:
                    async for line in lines:
                        progress.show(line)
        except ClientError as error:
            raise Forbidden(DENIED) if _denied(error) else error from None


def _denied(error: ClientError) -> bool:
    """Whether the registry refused; an HTTP status 401 is our own server, which wants its key."""
    text = error.text.lower()
    return error.status != 401 and ("access denied" in text or "unauthorized" in text)
