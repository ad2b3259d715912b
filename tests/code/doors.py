"""The editors' door on a real socket, in front of a scripted upstream: `async with door(Scripted(...)) as opened`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from puna.client import Endpoint, OllamaClient
from puna.code.app import build_app
from puna.code.completer import Completer
from puna.code.config import WireConfig
from puna.code.types import CodeConfig
from puna.keys import KeyFile, Keyring
from puna.serving.listening import Face, _config, _Server, listen
from puna.serving.methods import AnyCaseMethods
from puna.serving.origins import LOOPBACK_ORIGINS, Origins
from tests.code.scripted import Scripted, upstream

Json = dict[str, Any]

NO_FOLDER = Path("/nonexistent")  # holds no keys


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        """NDJSON: every line an object."""
        return [json.loads(line) for line in self.body.splitlines()]

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
    model: Scripted
    completer: Completer
    session: aiohttp.ClientSession
    headers: Mapping[str, str] = field(default_factory=dict)

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

    async def post(self, path: str, body: object, **headers: str) -> Reply:
        return await self.request("POST", path, body, **headers)

    async def raw(self, request: bytes, *, parts: int = 1) -> bytes:
        """Bytes on the wire as they are, in so many pieces; the answer until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        size = -(-len(request) // parts)
        for start in range(0, len(request), size):
            writer.write(request[start : start + size])
            await writer.drain()
            await asyncio.sleep(0.005 if parts > 1 else 0)
        answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def door_to(
    endpoint: Endpoint,
    model: Scripted,
    config: CodeConfig | None = None,
    wire: WireConfig | None = None,
    *,
    key: str = "",
) -> AsyncIterator[Door]:
    listener = listen("127.0.0.1", 0)
    app = build_app(
        OllamaClient(endpoint),
        config or CodeConfig(),
        wire or WireConfig(),
        hosts=listener.hosts(""),
        origins=Origins.parse("", always=LOOPBACK_ORIGINS),
        keys=Keyring(KeyFile(NO_FOLDER), key or None),
        loopback=True,
    )
    server = _Server(_config(Face(app, listener, AnyCaseMethods)))
    serving = asyncio.create_task(server.serve(sockets=[listener.socket]))
    headers = {"Accept": "*/*", "User-Agent": "editor/1", "Content-Type": "text/plain"}
    try:
        while not server.started:
            assert not serving.done(), serving
            await asyncio.sleep(0.005)
        async with aiohttp.ClientSession(headers=headers) as session:
            yield Door(listener.port, model, app.state.completer, session)
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def door(
    model: Scripted | None = None, config: CodeConfig | None = None, wire: WireConfig | None = None, *, key: str = ""
) -> AsyncIterator[Door]:
    async with (
        upstream(model or Scripted()) as (scripted, endpoint),
        door_to(endpoint, scripted, config, wire, key=key) as opened,
    ):
        yield opened
