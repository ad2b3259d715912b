"""The arena on a real socket, in front of one or more endpoints: `async with door(endpoint) as opened`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from puna.arena.config import ArenaConfig
from puna.arena.face import face
from puna.client import Endpoint
from puna.serving.listening import _config, _Server

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

    async def post(self, path: str, body: object = None, **headers: str) -> Reply:
        return await self.request("POST", path, body, **headers)


@asynccontextmanager
async def door(*endpoints: Endpoint, **settings: Any) -> AsyncIterator[Door]:
    """The first endpoint is called `first`, the others by their place; `settings` are fields of `ArenaConfig`."""
    names = ("first", "second", "third")
    opened = face(ArenaConfig(port=0, **settings), dict(zip(names, endpoints, strict=False)))
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
