"""The editors' door on a real socket, in front of a scripted upstream: `async with door(Scripted(...)) as opened`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from puna.client import Endpoint, OllamaClient
from puna.code.app import build_app
from puna.code.completer import Completer
from puna.code.config import WireConfig
from puna.code.types import CodeConfig
from puna.keys import KeyFile, Keyring
from puna.serving.listening import Face, listen
from puna.serving.methods import AnyCaseMethods
from puna.serving.origins import LOOPBACK_ORIGINS, Origins
from tests import doors
from tests.code.scripted import Scripted, upstream
from tests.doors import Reply

__all__ = ["Door", "Json", "Reply", "door", "door_to"]

Json = dict[str, Any]

NO_FOLDER = Path("/nonexistent")  # holds no keys


@dataclass
class Door(doors.Door):
    model: Scripted
    completer: Completer

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
    headers = {"Accept": "*/*", "User-Agent": "editor/1", "Content-Type": "text/plain"}
    async with doors.served(Face(app, listener, AnyCaseMethods), headers) as session:
        yield Door(listener.port, session, model, app.state.completer)


@asynccontextmanager
async def door(
    model: Scripted | None = None, config: CodeConfig | None = None, wire: WireConfig | None = None, *, key: str = ""
) -> AsyncIterator[Door]:
    async with (
        upstream(model or Scripted()) as (scripted, endpoint),
        door_to(endpoint, scripted, config, wire, key=key) as opened,
    ):
        yield opened
