"""While nothing is heard, a column says whether the model is being loaded or reads already (contract arena §2.9, §2.15)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from puna.client import Endpoint
from tests.arena.doors import door
from tests.code.scripted import Scripted, upstream
from tests.servers import Server

Json = dict[str, Any]

SMOL = "smollm2:135m"
LOADS = "loads:1b"


class Puna(Scripted):
    """Lists a model that is still loading, and says so."""

    def __init__(self) -> None:
        self.read = asyncio.Event()  # the answer waits for it
        super().__init__(script=[self.read, "Done."], models={LOADS: {}})
        self.ready = False

    def _listed(self, name: str) -> Json:
        return super()._listed(name) | ({} if self.ready else {"loading": True})


async def told(reply: aiohttp.ClientResponse) -> str:
    """The next phase."""
    async with asyncio.timeout(60):
        while line := await reply.content.readline():
            said: Json = json.loads(line) if line.strip() else {}
            if said.get("event") == "status":
                return str(said["state"])
    raise AssertionError("the stream has ended")


async def test_a_model_that_is_listed_and_still_loading_does_not_read_yet() -> None:
    model = Puna()
    body = {"message": "?", "extended": True, "model_instances": [{"model": LOADS}]}
    async with (
        upstream(model) as (_, endpoint),
        door(endpoint) as opened,
        opened.session.post(f"{opened.url}/api/stream_chat", json=body) as reply,
    ):
        assert [await told(reply), await told(reply)] == ["queued", "loading"]
        model.ready = True
        assert await told(reply) == "prompt"
        model.read.set()
        assert await told(reply) == "generating"


@asynccontextmanager
async def runtime(folder: Path) -> AsyncIterator[Server]:
    server = Server(folder / "models", folder / "home")
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


async def engine_of(server: Server) -> psutil.Process:
    """The child that has a model, as soon as there is one; another only looks for devices, and is soon gone."""
    async with asyncio.timeout(30):
        while True:
            for child in server.runners():
                with suppress(psutil.NoSuchProcess):
                    if "".join(child.cmdline()).endswith("child.py"):
                        return child
            await asyncio.sleep(0)


@contextmanager
def held(engine: psutil.Process) -> Iterator[None]:
    engine.suspend()
    try:
        yield
    finally:
        engine.resume()


def rows(server: Server) -> list[Json]:
    found: list[Json] = server.get("/api/ps").json["models"]
    return found


async def test_a_cold_model_of_the_runtime_is_loaded_first_and_reads_then(tmp_path: Path) -> None:
    long = "The owl sat on the wall and saw it all. " * 100
    body = {"message": long, "extended": True, "model_instances": [{"model": SMOL, "num_predict": 2}]}
    async with (
        runtime(tmp_path) as server,
        door(Endpoint(port=server.port)) as opened,
        opened.session.post(f"{opened.url}/api/stream_chat", json=body) as reply,
    ):
        engine = await engine_of(server)
        with held(engine):
            (row,) = await asyncio.to_thread(rows, server)
            assert (row["name"], row["loading"]) == (SMOL, True)
            assert [await told(reply), await told(reply)] == ["queued", "loading"]
        async with asyncio.timeout(30):
            while "loading" in (await asyncio.to_thread(rows, server))[0]:
                await asyncio.sleep(0)
        with held(engine):  # in the middle of what it reads
            assert await told(reply) == "prompt"
        assert await told(reply) == "generating"
