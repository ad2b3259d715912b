"""`puna verify`: hash what is stored again, tell what is damaged, and pull that once more where it is wished."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from puna.cli.connection import puna_only, server
from puna.cli.progress import Progress
from puna.client.client import OllamaClient
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError
from puna.errors import PunaError


def verify(model: str | None, *, repair: bool = False, insecure: bool = False) -> int:
    """Check one model or all of them, and print a summary. Raises `PunaError` when damage stays."""
    with server() as endpoint:
        print(asyncio.run(_verify(endpoint, model, repair=repair, insecure=insecure)))
    return 0


@dataclass(slots=True)
class Findings:
    """What the lines of `/api/verify` said. Pure."""

    blobs: set[str] = field(default_factory=set)  # digests
    damage: dict[str, str] = field(default_factory=dict)  # what the server says about each thing that is still bad
    repaired: set[str] = field(default_factory=set)

    def feed(self, line: Mapping[str, Any]) -> None:
        status, digest = str(line.get("status", "")), str(line.get("digest", ""))
        if digest:
            self.blobs.add(digest)
        thing = digest or status  # a manifest is named by its model, and has no digest
        match status.partition(" ")[0]:
            case "damaged" | "missing":
                self.damage[thing] = status
            case "repaired":
                self.damage.pop(thing, None)
                self.repaired.add(thing)

    def summary(self, models: int) -> str:
        if not self.blobs:
            return "there is nothing to verify yet"
        count, repaired = len(self.blobs), len(self.repaired)
        again = f", {repaired} repaired" if repaired else ""
        return f"{_counted(count, 'blob')} of {_counted(models, 'model')} {'is' if count == 1 else 'are'} good{again}"


async def _verify(endpoint: Endpoint, model: str | None, *, repair: bool, insecure: bool) -> str:
    findings = Findings()
    async with OllamaClient(endpoint) as client:
        try:
            with puna_only(), Progress(keep=False) as progress:
                async with aclosing(client.verify(model, repair=repair, insecure=insecure)) as lines:
                    async for line in lines:
                        progress.show(line)
                        findings.feed(line)
        except ClientError as error:
            raise PunaError("\n".join((str(error), *findings.damage.values()))) from None
        if findings.damage:
            raise PunaError("\n".join(("damage was found", *findings.damage.values())))
        return findings.summary(1 if model else len(await client.tags()))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
