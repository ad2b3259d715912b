"""The configured endpoints by name, the first of them the default (contract arena C4), and what is installed there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from time import monotonic
from types import TracebackType
from typing import Self

from puna.arena.failures import unknown_endpoint
from puna.client import ClientError, Endpoint, OllamaClient

PROBE_S = 2.0  # an upstream that does not answer within is as good as down (H2)
FRESH_S = 1.0  # what a probe found is believed for so long (H3)


class Upstreams:
    """An async context manager: opens a client for each endpoint."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._clients = {name: OllamaClient(endpoint) for name, endpoint in endpoints.items()}
        self.names = tuple(self._clients)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for client in self._clients.values():
            await self._open.enter_async_context(client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def client(self, name: str = "") -> OllamaClient:
        """The client of a configured endpoint; the default's for no name. Raises `Refused`: URLs are never taken."""
        client = self._clients.get(name or self.names[0])
        if client is None:
            raise unknown_endpoint(self.names)
        return client


async def installed(client: OllamaClient) -> list[str]:
    """The names of all models, in the upstream's order (M1). Raises `ClientError`."""
    names = (model.get("name") or model.get("model") for model in await client.tags())
    return [name for name in names if isinstance(name, str)]


class Health:
    """How many models the default upstream has. Questions at the same time share one probe (H3)."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._probe: asyncio.Task[int | None] | None = None
        self._ended = 0.0

    async def models(self) -> int | None:
        """None when the upstream does not answer."""
        stale = self._probe is None or (self._probe.done() and monotonic() - self._ended > FRESH_S)
        if self._probe is None or stale:
            self._probe = asyncio.create_task(self._count())
        return await asyncio.shield(self._probe)

    async def close(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)

    async def _count(self) -> int | None:
        try:
            async with asyncio.timeout(PROBE_S):
                return len(await installed(self._upstreams.client()))
        except (ClientError, TimeoutError):
            return None
        finally:
            self._ended = monotonic()
