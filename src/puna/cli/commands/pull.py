"""`puna pull`: a model, or every newer version, from its registry (contract ollama-store §3, §6.2)."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from puna.cli.commands.outdated import versions
from puna.cli.connection import puna_only, server
from puna.cli.progress import Progress
from puna.cli.terminal import note, printable
from puna.client.client import OllamaClient
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError

NO_MANIFEST = "pull model manifest: "  # how every error begins that came before the first layer
NOT_IN_REGISTRY = f"{NO_MANIFEST}file does not exist"


def pull(model: str, *, insecure: bool = False) -> int:
    with server() as endpoint:
        asyncio.run(_pull(endpoint, model, insecure=insecure))
    return 0


def pull_all(*, insecure: bool = False) -> int:
    """Pull every model that has a newer version; one that fails does not stop the others."""
    with server() as endpoint:
        failures = asyncio.run(_pull_all(endpoint, insecure=insecure))
    for name, reason in failures.items():
        note(f"Error: {name}: {reason}")
    return 1 if failures else 0


async def pull_model(client: OllamaClient, model: str, *, insecure: bool) -> None:
    """Pull one model, with its progress on stderr. Raises `ClientError`; a cancelled pull says that it can go on."""
    try:
        with Progress() as progress:
            async with aclosing(client.pull(model, insecure=insecure)) as lines:
                async for line in lines:
                    progress.show(line)
    except asyncio.CancelledError:
        note("interrupted: run it again, and the pull goes on where it stopped")
        raise


async def _pull(endpoint: Endpoint, model: str, *, insecure: bool) -> None:
    async with OllamaClient(endpoint) as client:
        await pull_model(client, model, insecure=insecure)


async def _pull_all(endpoint: Endpoint, *, insecure: bool) -> dict[str, str]:
    """Why models could not be pulled, by their names; the others are told on stdout."""
    async with OllamaClient(endpoint) as client:
        with puna_only():
            found = await versions(client)
        failures = {version.name: version.error for version in found if version.error}
        newer = [version for version in found if version.outdated]
        updated = []
        for number, version in enumerate(newer, 1):
            note(f"{version.name} ({number} of {len(newer)})")
            try:
                await pull_model(client, version.name, insecure=insecure)
            except ClientError as error:
                failures[version.name] = str(error)
            else:
                updated.append(version.name)
    if updated:
        print(printable(f"updated {', '.join(updated)}"))
    elif not failures:
        print("every pulled model is up to date")
    return failures
