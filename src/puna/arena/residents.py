"""Which models an endpoint has in memory: what a person waits for, and how much context there is (arena §2.1, §2.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from puna.arena.metrics import counter
from puna.arena.upstreams import PROBE_S, Upstreams
from puna.client import ClientError

EACH_S = 0.5  # a look is believed for so long


@dataclass(frozen=True, slots=True)
class _Resident:
    ready: bool
    n_ctx: int | None  # while it loads: what it will have


_Found = Mapping[str, _Resident] | None


class Residents:
    """Columns that ask at the same time share one look."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._looks: dict[str, tuple[float, asyncio.Task[_Found]]] = {}  # by endpoint: when, and what

    async def has(self, endpoint: str, model: str) -> bool | None:
        """Ready to answer. None when the endpoint does not say."""
        began, look = self._looks.get(endpoint, (0.0, None))
        if look is None or (look.done() and monotonic() - began > EACH_S):
            look = asyncio.create_task(self._look(endpoint))
            self._looks[endpoint] = (monotonic(), look)
        found = await asyncio.shield(look)
        if found is None:
            return None
        resident = found.get(_tagged(model))
        return resident is not None and resident.ready

    async def meet(self, endpoint: str, model: str) -> None:
        """Waits for a look that is under way, and looks again where the last one came before a model that is there."""
        _, look = self._looks.get(endpoint, (0.0, None))
        found = await asyncio.shield(look) if look else None
        if found is not None and _tagged(model) not in found:
            self._looks.pop(endpoint, None)
            await self.has(endpoint, model)

    def n_ctx(self, endpoint: str, model: str) -> int | None:
        """Tokens that fit into its context, by the last look."""
        _, look = self._looks.get(endpoint, (0.0, None))
        found = look.result() if look is not None and look.done() and not look.cancelled() else None
        resident = found.get(_tagged(model)) if found else None
        return resident.n_ctx if resident else None

    async def close(self) -> None:
        looks = [look for _, look in self._looks.values()]
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    async def _look(self, endpoint: str) -> _Found:
        try:
            async with asyncio.timeout(PROBE_S):
                models = await self._upstreams.client(endpoint).ps()
        except (ClientError, TimeoutError):
            return None
        return {
            _tagged(str(model.get("name"))): _Resident(
                model.get("loading") is not True,  # only Puna tells those apart
                counter(model, "context_length"),
            )
            for model in models
        }


def _tagged(model: str) -> str:
    """Names without a tag mean the latest one."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"
