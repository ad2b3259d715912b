"""Models on their way to an upstream: started here, going on in the background (contract arena P1, P2, §2.2)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from contextlib import aclosing
from time import monotonic
from typing import Any, Literal

from puna.arena.failures import ArenaError, UpstreamFailed, reason, shortened
from puna.arena.metrics import counter
from puna.arena.upstreams import Upstreams
from puna.client import ClientError

log = logging.getLogger(__name__)

PROMPT_S = 2.0  # a download that fails within is refused, not started
MOST = 4  # at once (threats T23)
KEPT = 20  # that are over and still listed
MOST_LAYERS = 1000  # of one model; more is no model
RATE_S = 5.0  # the speed is that of so many seconds

State = Literal["downloading", "done", "failed", "cancelled"]
_Key = tuple[str, str]  # the endpoint's name, the model's


class TooMany(ArenaError):
    status = 429

    def __init__(self) -> None:
        super().__init__("Too many downloads", f"{MOST} at once are the most; wait for one, or cancel it")


class Download:
    """One model's way. Its layers come one after the other, and say their sizes as they come."""

    def __init__(self, model: str, endpoint: str) -> None:
        self.model, self.endpoint = model, endpoint
        self.state: State = "downloading"
        self.error = ""
        self.task: asyncio.Task[None] | None = None
        self._detail = ""
        self._layers: dict[str, tuple[int, int]] = {}  # digest → bytes here, bytes in all
        self._received = 0  # bytes since it began: what was here before is no speed
        self._heard: deque[tuple[float, int]] = deque()  # (when, received) of the last seconds

    def hear(self, line: Mapping[str, Any], now: float) -> None:
        """A line of the upstream's progress; `now` is in seconds."""
        if isinstance(status := line.get("status"), str):
            self._detail = shortened(status)
        digest, total = line.get("digest"), counter(line, "total")
        if not isinstance(digest, str) or total is None:
            return
        completed = min(counter(line, "completed") or 0, total)
        if digest in self._layers:
            self._received += max(0, completed - self._layers[digest][0])
        elif len(self._layers) >= MOST_LAYERS:
            return
        self._layers[digest] = (completed, total)
        self._heard.append((now, self._received))
        while now - self._heard[0][0] > RATE_S and len(self._heard) > 2:
            self._heard.popleft()

    def wire(self) -> dict[str, Any]:
        """Sizes are null as long as the upstream has said none; the speed where nothing is coming."""
        return {
            "model": self.model,
            "endpoint": self.endpoint,
            "status": self.state,
            "detail": self._detail or None,
            "completed": sum(completed for completed, _ in self._layers.values()) if self._layers else None,
            "total": sum(total for _, total in self._layers.values()) if self._layers else None,
            "bytes_per_s": self._rate() if self.state == "downloading" else None,
            "error": self.error or None,
        }

    def _rate(self) -> int | None:
        if len(self._heard) < 2:
            return None
        (began, before), (now, after) = self._heard[0], self._heard[-1]
        return round((after - before) / (now - began)) if now > began else None


class Downloads:
    """One download of a model at a time; those that are over stay in the list for a while."""

    def __init__(self, upstreams: Upstreams) -> None:
        self._upstreams = upstreams
        self._known: dict[_Key, Download] = {}  # oldest first

    async def start(self, model: str, endpoint: str = "") -> None:
        """Returns when the download is under way or done.

        Raises `UpstreamFailed` for one that fails at once, `TooMany`, and `Refused` for an endpoint that is none.
        """
        key = self._key(model, endpoint)
        found = self._known.get(key)
        if found is not None and found.state == "downloading":
            return
        if sum(download.state == "downloading" for download in self._known.values()) >= MOST:
            raise TooMany
        self._known.pop(key, None)
        download = self._known[key] = Download(model, key[0])
        task = download.task = asyncio.create_task(self._pull(download))
        await asyncio.wait((task,), timeout=PROMPT_S)
        if download.state == "failed":
            raise UpstreamFailed(download.error)

    def cancel(self, model: str, endpoint: str = "") -> bool:
        """Whether there was one. Raises `Refused` for an endpoint that is none."""
        download = self._known.get(self._key(model, endpoint))
        if download is None or download.task is None or download.state != "downloading":
            return False
        download.state = "cancelled"
        download.task.cancel()
        return True

    def wire(self) -> list[dict[str, Any]]:
        """The newest first."""
        return [download.wire() for download in reversed(self._known.values())]

    async def close(self) -> None:
        tasks = [download.task for download in self._known.values() if download.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _key(self, model: str, endpoint: str) -> _Key:
        self._upstreams.client(endpoint)
        return endpoint or self._upstreams.names[0], model

    async def _pull(self, download: Download) -> None:
        try:
            async with aclosing(self._upstreams.client(download.endpoint).pull(download.model)) as lines:
                async for line in lines:
                    download.hear(line, monotonic())
            download.state = "done"
        except ClientError as error:
            download.state, download.error = "failed", reason(error)
            log.warning("download failed", extra={"fields": {"model": download.model, "error": download.error}})
        finally:
            self._forget_old()

    def _forget_old(self) -> None:
        over = [key for key, download in self._known.items() if download.state != "downloading"]
        for key in over[: max(0, len(over) - KEPT)]:
            del self._known[key]
