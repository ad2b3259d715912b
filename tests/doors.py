"""A face on a real socket in this event loop, and a client of it: what the doors of single faces are made of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from puna.serving.listening import Face, _config, _Server


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]  # in lower case
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def told(self) -> tuple[int, str]:
        """Status and error."""
        return self.status, self.json["error"]

    @property
    def lines(self) -> list[Any]:
        """NDJSON: every line an object."""
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def beating_lines(self) -> list[Any]:
        """NDJSON with empty lines in between, the signs of life of a stream that is silent for long."""
        return [json.loads(line) for line in self.body.splitlines() if line]

    @property
    def events(self) -> list[Any]:
        """Server-sent events: objects, and "[DONE]" as it stands."""
        parts = self.text.split("\n\n")
        assert parts.pop() == "", self.text
        assert all(part.startswith("data: ") and "\n" not in part for part in parts), self.text
        return [part if part == "[DONE]" else json.loads(part) for part in (one[6:] for one in parts)]


@dataclass
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
async def served(face: Face, headers: Mapping[str, str] = {}) -> AsyncIterator[aiohttp.ClientSession]:
    """The face answers until the block ends; `headers` go with every request of the session."""
    server = _Server(_config(face))
    serving = asyncio.create_task(server.serve(sockets=[face.listener.socket]))
    try:
        while not server.started:
            assert not serving.done(), serving
            await asyncio.sleep(0.005)
        async with aiohttp.ClientSession(headers=headers) as session:
            yield session
    finally:
        server.should_exit = True
        await serving
