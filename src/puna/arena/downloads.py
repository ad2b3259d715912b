"""Models on their way to an upstream: started here, going on in the background (contract arena P1, P2)."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

from puna.arena.failures import UpstreamFailed, reason
from puna.arena.upstreams import Upstreams
from puna.client import ClientError

log = logging.getLogger(__name__)

PROMPT_S = 2.0  # a download that fails within is refused, not started

_Key = tuple[str, str]  # the endpoint's name, the model's


class Downloads:
    """One download of a model at a time. What fails later is logged."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._running: dict[_Key, asyncio.Task[None]] = {}

    async def start(self, model: str, endpoint: str = "") -> None:
        """Returns when the download is under way or done. Raises `UpstreamFailed` for one that fails at once."""
        key = (endpoint, model)
        if key in self._running:
            return
        task = self._running[key] = asyncio.create_task(self._pull(model, endpoint))
        task.add_done_callback(lambda ended: self._ended(key, ended))
        await asyncio.wait((task,), timeout=PROMPT_S)
        if task.done():
            task.result()

    async def close(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pull(self, model: str, endpoint: str) -> None:
        try:
            async with aclosing(self._upstreams.client(endpoint).pull(model)) as lines:
                async for _ in lines:
                    pass
        except ClientError as error:
            raise UpstreamFailed(reason(error)) from error

    def _ended(self, key: _Key, task: asyncio.Task[None]) -> None:
        del self._running[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            details = error.details if isinstance(error, UpstreamFailed) else type(error).__name__
            log.warning("download failed", extra={"fields": {"model": key[1], "error": details}})
