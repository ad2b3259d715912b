"""One blob on its way out (contract ollama-store §3.5), against a registry that keeps the protocol's state."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from puna.errors import RegistryError, StoreError
from puna.names import ModelName
from puna.registry import upload as module
from puna.registry.identity import Identity
from puna.registry.parts import etag
from puna.registry.repository import Repository
from puna.registry.upload import Upload
from puna.store import Store
from tests.registry.shelf import QUICK, digest_of, parts_of, repository_at, serving

DATA = random.Random(5).randbytes(2_500_000)
STEP = 1_000_000


@dataclass
class Intake:
    """Takes uploads as a registry does: `elsewhere` redirects parts as Ollama's does; `trouble` spoils requests."""

    blobs: set[str] = field(default_factory=set)
    mountable: set[str] = field(default_factory=set)
    elsewhere: bool = False
    trouble: Callable[[web.Request, int], bool] = lambda request, number: False
    taken: bytearray = field(default_factory=bytearray)
    parts: dict[int, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    etag: str = ""

    def application(self) -> web.Application:
        app = web.Application(client_max_size=2**30, middlewares=[self._middle])
        app.router.add_route("HEAD", "/v2/lab/llama/blobs/{digest}", self.head)
        app.router.add_post("/v2/lab/llama/blobs/uploads/", self.start)
        app.router.add_patch("/session/{state}", self.patch)
        app.router.add_put("/session/{state}", self.commit)
        app.router.add_put("/elsewhere/{part}", self.put_part)
        return app

    @web.middleware
    async def _middle(self, request: web.Request, handler: Callable[..., AsyncIterator[web.Response]]) -> web.Response:
        self.log.append(f"{request.method} {request.path}")
        if self.trouble(request, len(self.log)):
            raise web.HTTPServiceUnavailable
        return await handler(request)  # type: ignore[misc]

    async def head(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if request.match_info["digest"] in self.blobs else 404)

    async def start(self, request: web.Request) -> web.Response:
        if request.query.get("mount", "") in self.mountable and request.query["from"] == "library/base":
            return web.Response(status=201)
        self.taken.clear()
        return web.Response(status=202, headers={"Location": "/session/0?state=a%2Fb"})

    async def patch(self, request: web.Request) -> web.Response:
        assert request.rel_url.raw_query_string == "state=a%2Fb"
        start, end = map(int, request.headers["Content-Range"].split("-"))
        state = f"/session/{end + 1}?state=a%2Fb"
        if self.elsewhere:
            assert request.headers["X-Redirect-Uploads"] == "1"
            headers = {"Docker-Upload-Location": state, "Location": f"/elsewhere/{start}"}
            return web.Response(status=307, headers=headers)
        data = await request.read()
        assert start == len(self.taken) == int(request.match_info["state"])
        assert len(data) == end - start + 1 == int(request.headers["Content-Length"])
        self.taken += data
        return web.Response(status=202, headers={"Location": state})

    async def put_part(self, request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        self.parts[int(request.match_info["part"])] = await request.read()
        return web.Response(status=200)

    async def commit(self, request: web.Request) -> web.Response:
        data = b"".join(self.parts[at] for at in sorted(self.parts)) if self.elsewhere else bytes(self.taken)
        digest = str(digest_of(data))
        self.etag = request.query["etag"]
        if request.query["digest"] != digest:
            raise web.HTTPBadRequest
        self.blobs.add(digest)
        return web.Response(status=201)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cut", lambda size: parts_of(size, STEP))


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
async def repository(intake: Intake, tmp_path: Path) -> AsyncIterator[Repository]:
    identity = Identity(tmp_path / "identity")
    async with serving(intake.application()) as netloc, repository_at(netloc, identity) as repository:
        yield repository


def upload(store: Store, repository: Repository, mount_from: ModelName | None = None) -> Upload:
    return Upload(store, repository, digest_of(DATA), len(DATA), mount_from=mount_from, patience=QUICK)


async def test_parts_go_one_after_the_other_in_one_session(
    store: Store, intake: Intake, repository: Repository
) -> None:
    digest, _ = store.put_blob(DATA)
    running = upload(store, repository)
    await running.run()
    assert intake.blobs == {str(digest)}
    assert bytes(intake.taken) == DATA
    assert [line.split()[0] for line in intake.log] == ["HEAD", "POST", "PATCH", "PATCH", "PATCH", "PUT"]
    assert running.completed == len(DATA)


async def test_parts_go_elsewhere_when_the_registry_says_so(
    store: Store, intake: Intake, repository: Repository
) -> None:
    store.put_blob(DATA)
    intake.elsewhere = True
    await upload(store, repository).run()
    assert [intake.parts[at] for at in (0, STEP, 2 * STEP)] == [DATA[at : at + STEP] for at in (0, STEP, 2 * STEP)]
    md5s = [hashlib.md5(part, usedforsecurity=False).digest() for _, part in sorted(intake.parts.items())]
    assert intake.etag == etag(md5s)


async def test_a_blob_that_is_there_is_not_sent(store: Store, intake: Intake, repository: Repository) -> None:
    digest, _ = store.put_blob(DATA)
    intake.blobs.add(str(digest))
    running = upload(store, repository)
    await running.run()
    assert len(intake.log) == 1
    assert (running.completed, running.arrived.is_set()) == (len(DATA), True)


async def test_a_blob_of_another_model_is_mounted(store: Store, intake: Intake, repository: Repository) -> None:
    digest, _ = store.put_blob(DATA)
    intake.mountable.add(str(digest))
    await upload(store, repository, ModelName.parse("library/base:1b")).run()
    assert [line.split()[0] for line in intake.log] == ["HEAD", "POST"]


async def test_a_registry_that_will_not_mount_gets_the_bytes(
    store: Store, intake: Intake, repository: Repository
) -> None:
    digest, _ = store.put_blob(DATA)
    await upload(store, repository, ModelName.parse("library/base:1b")).run()
    assert intake.blobs == {str(digest)}


async def test_a_broken_session_is_followed_by_a_new_one(store: Store, intake: Intake, repository: Repository) -> None:
    store.put_blob(DATA)
    intake.trouble = lambda request, number: number == 4  # the second PATCH
    running = upload(store, repository)
    seen, task = [0], asyncio.create_task(running.run())
    while not task.done():
        seen.append(running.completed)
        await asyncio.sleep(0.001)
    await task
    assert bytes(intake.taken) == DATA
    assert seen == sorted(seen)


async def test_a_part_that_goes_elsewhere_is_tried_again_alone(
    store: Store, intake: Intake, repository: Repository
) -> None:
    store.put_blob(DATA)
    intake.elsewhere = True
    refused: list[str] = []

    def once(request: web.Request, number: int) -> bool:
        if request.path == f"/elsewhere/{STEP}" and not refused:
            refused.append(request.path)
            return True
        return False

    intake.trouble = once
    await upload(store, repository).run()
    assert sum(line.startswith("POST") for line in intake.log) == 1
    assert sum(line == f"PUT /elsewhere/{STEP}" for line in intake.log) == 2


async def test_a_registry_in_trouble_is_given_up_after_the_tries(
    store: Store, intake: Intake, repository: Repository
) -> None:
    store.put_blob(DATA)
    intake.trouble = lambda request, number: request.method == "POST"
    with pytest.raises(RegistryError, match=r"max retries exceeded: .*503"):
        await upload(store, repository).run()
    assert sum(line.startswith("POST") for line in intake.log) == QUICK.tries


async def test_a_blob_that_shrinks_meanwhile_ends_the_upload(
    store: Store, intake: Intake, repository: Repository
) -> None:
    digest, _ = store.put_blob(DATA)
    with store.blob_path(digest).open("r+b") as file:
        file.truncate(1_500_000)
    with pytest.raises(StoreError, match="has changed while it was sent"):
        await upload(store, repository).run()
    assert intake.blobs == set()


async def test_digests_are_what_the_registry_checks(store: Store, intake: Intake, repository: Repository) -> None:
    digest, _ = store.put_blob(DATA)
    damaged = bytearray(DATA)
    damaged[7] ^= 1
    store.blob_path(digest).write_bytes(bytes(damaged))
    with pytest.raises(RegistryError, match="400"):
        await upload(store, repository).run()
    assert intake.blobs == set()
