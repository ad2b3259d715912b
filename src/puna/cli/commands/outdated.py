"""`puna list --outdated`: the pulled models that have a newer version in their registry."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self

from puna.cli.connection import puna_only, server
from puna.cli.progress import spinner
from puna.cli.tables import table
from puna.cli.terminal import note
from puna.client.client import Json, OllamaClient
from puna.client.endpoint import Endpoint

HEADER = ("NAME", "ID", "NEWEST")


@dataclass(frozen=True, slots=True)
class Version:
    """One pulled model: the digest of its manifest here and in the registry, or why nobody knows the latter."""

    name: str
    digest: str
    newest: str
    error: str

    @classmethod
    def of(cls, answer: Json) -> Self:
        return cls(*(str(answer.get(field) or "") for field in ("name", "digest", "newest", "error")))

    @property
    def outdated(self) -> bool:
        return bool(self.newest) and self.newest != self.digest and not self.error


def list_outdated(prefix: str = "") -> int:
    """Print those whose name begins with `prefix`, ignoring case; the status is 1 where a registry did not answer."""
    with server() as endpoint, puna_only():
        found = asyncio.run(_ask(endpoint))
    found = [version for version in found if version.name.lower().startswith(prefix.lower())]
    rows = [(version.name, version.digest[:12], version.newest[:12]) for version in found if version.outdated]
    print(table(HEADER, rows), end="")
    failures = [version for version in found if version.error]
    for version in failures:
        note(f"Error: {version.name}: {version.error}")
    return 1 if failures else 0


async def versions(client: OllamaClient) -> list[Version]:
    """The pulled models that are not known to be up to date, which may take a moment. Raises `ClientError`."""
    with spinner("looking for newer versions"):
        return [Version.of(answer) for answer in await client.outdated()]


async def _ask(endpoint: Endpoint) -> list[Version]:
    async with OllamaClient(endpoint) as client:
        return await versions(client)
