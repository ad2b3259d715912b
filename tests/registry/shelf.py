"""A small registry in the test's own loop that serves and takes blobs as a test scripts it."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from puna.names import Digest, ModelName
from puna.registry.egress import Egress
from puna.registry.hosts import Registries
from puna.registry.identity import Identity
from puna.registry.patience import Patience
from puna.registry.repository import Repository
from puna.store import Part

QUICK = Patience(
    connect_s=2,
    stall_s=0.3,
    answer_s=2,
    tries=3,
    first_pause_s=0.01,
    longest_pause_s=0.02,
    slow_window_s=1,
    slow_bytes=10,
)


def parts_of(size: int, step: int) -> list[Part]:
    """Parts of `step` bytes, for blobs that are too small for more than one."""
    return [Part(number, at, min(step, size - at)) for number, at in enumerate(range(0, size, step))]


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())


@dataclass
class Answer:
    """How one GET of a blob is answered: `stop_after` bytes the connection is cut, or with `hang` it falls silent."""

    status: int = 0  # 0: 206 or 200 as is right
    stop_after: int | None = None
    hang: bool = False
    pause_s: float = 0  # between two bytes
    swap: bytes | None = None  # other bytes than the right ones


Script = Callable[[int, int, int], Answer]  # (number of the request, start, stop) -> how to answer


@dataclass
class Shelf:
    """Blobs by digest. `asked` lists the ranges of all GETs, `sent` counts the bytes that left."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    script: Script = lambda number, start, stop: Answer()
    ranges: bool = True
    asked: list[tuple[int, int]] = field(default_factory=list)
    sent: int = 0

    def put(self, data: bytes) -> Digest:
        digest = digest_of(data)
        self.blobs[str(digest)] = data
        return digest

    async def blob(self, request: web.Request) -> web.StreamResponse:
        data = self.blobs.get(request.match_info["digest"])
        if data is None:
            raise web.HTTPNotFound
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", "")) if self.ranges else None
        start, stop = (int(found[1]), int(found[2]) + 1) if found else (0, len(data))
        answer = self.script(len(self.asked), start, stop)
        self.asked.append((start, stop))
        headers = {"Content-Length": str(stop - start)}
        if found:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        if answer.status:
            raise _status(answer.status)
        response = web.StreamResponse(status=206 if found else 200, headers=headers)
        await response.prepare(request)
        await self._send(request, response, answer, (answer.swap or data)[start:stop])
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, answer: Answer, data: bytes) -> None:
        step = 1 if answer.pause_s else 65536
        end = len(data) if answer.stop_after is None else answer.stop_after
        for at in range(0, end, step):
            piece = data[at : min(at + step, end)]
            await response.write(piece)
            self.sent += len(piece)
            await asyncio.sleep(answer.pause_s)
        if answer.hang:
            await asyncio.sleep(30)
        if end < len(data) and request.transport is not None:
            request.transport.abort() if answer.stop_after == 0 else request.transport.close()


def _status(status: int) -> web.HTTPException:
    kinds = {429: web.HTTPTooManyRequests, 500: web.HTTPInternalServerError, 503: web.HTTPServiceUnavailable}
    return kinds[status]() if status in kinds else web.HTTPForbidden()


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """The `host:port` of a running application."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0]
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def repository_at(netloc: str, identity: Identity, patience: Patience = QUICK) -> AsyncIterator[Repository]:
    """The repository `lab/llama` of a registry without TLS."""
    registries = Registries.parse(f"http://{netloc}", netloc)
    name = ModelName.parse(f"{netloc}/lab/llama:1b")
    async with Egress(registries, patience=patience) as egress:
        yield Repository(egress, registries.origin_of(name), name, identity)
