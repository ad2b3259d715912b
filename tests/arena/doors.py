"""The arena on a real socket, in front of one or more endpoints: `async with door(endpoint) as opened`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from puna.arena.config import ArenaConfig
from puna.arena.face import face
from puna.client import Endpoint
from puna.database import Database, database_url
from puna.serving.listening import Face, _config, _Server

Json = dict[str, Any]

GONE = Endpoint(port=1)  # nobody listens there


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]  # in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines() if line]

    @property
    def told(self) -> tuple[int, str]:
        """Status and error."""
        return self.status, self.json["error"]


@dataclass(frozen=True)
class Door:
    port: int
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def request(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, self.url + path, data=data, headers=sent) as response:
            lowered = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, lowered, await response.read())

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.request("GET", path, **headers)

    async def put(self, path: str, body: object = None, **headers: str) -> Reply:
        return await self.request("PUT", path, body, **headers)

    async def patch(self, path: str, body: object = None, **headers: str) -> Reply:
        return await self.request("PATCH", path, body, **headers)

    async def delete(self, path: str, **headers: str) -> Reply:
        return await self.request("DELETE", path, **headers)

    async def post(self, path: str, body: object = None, **headers: str) -> Reply:
        return await self.request("POST", path, body, **headers)


@asynccontextmanager
async def door(
    *endpoints: Endpoint, database: Database | None = None, page: Path | None = None, **settings: Any
) -> AsyncIterator[Door]:
    """The first endpoint is called `first`, the others by their place; `settings` are fields of `ArenaConfig`.

    Without a `database` it has a throw-away one; without a `page` it has none.
    """
    with TemporaryDirectory(prefix="arena-") as folder:
        own = database or Database(database_url(f"{folder}/puna.db"))
        names = dict(zip(("first", "second", "third"), endpoints, strict=False))
        opened = face(ArenaConfig(port=0, **settings), names, own, page=page or Path(folder) / "page")
        async with _served(opened) as found:
            yield found


@asynccontextmanager
async def _served(opened: Face) -> AsyncIterator[Door]:
    server = _Server(_config(opened))
    serving = asyncio.create_task(server.serve(sockets=[opened.listener.socket]))
    try:
        while not server.started:
            assert not serving.done(), serving
            await asyncio.sleep(0.005)
        async with aiohttp.ClientSession() as session:
            yield Door(opened.listener.port, session)
    finally:
        server.should_exit = True
        await serving
