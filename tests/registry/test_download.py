"""One blob on its way in: what is kept, what is asked for again, what is believed (contract ollama-store §3.3)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from puna.errors import DigestMismatch, RegistryError
from puna.names import Digest
from puna.registry import download as module
from puna.registry.download import Download
from puna.registry.identity import Identity
from puna.registry.pace import Pace
from puna.registry.repository import Repository
from puna.store import Part, Store
from tests.registry.shelf import QUICK, Answer, Shelf, parts_of, repository_at, serving

DATA = random.Random(3).randbytes(3_000_000)
PARTS = 8


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight parts of a blob that is too small for more than one."""

    monkeypatch.setattr(module, "cut", lambda size: parts_of(size, -(-size // PARTS) or 1))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def repository(shelf: Shelf, tmp_path: Path) -> AsyncIterator[Repository]:
    app = web.Application()
    app.router.add_get("/v2/lab/llama/blobs/{digest}", shelf.blob)
    async with serving(app) as netloc, repository_at(netloc, Identity(tmp_path / "identity")) as repository:
        yield repository


def download(store: Store, repository: Repository, digest: Digest, size: int = len(DATA), **changes: Any) -> Download:
    return Download(store, repository, digest, size, pace=Pace(), patience=changes.pop("patience", QUICK), **changes)


def files_of(store: Store) -> list[str]:
    return sorted(path.name for path in (store.root / "blobs").iterdir())


def plan(store: Store, digest: Digest, completed: Iterable[int], content: bytes = DATA) -> list[Part]:
    """What an interrupted pull leaves: parts with so many bytes each."""
    with store.partial(digest, len(DATA)) as partial:
        partial.plan(module.cut(len(DATA)))
        for part, count in zip(partial.parts, completed, strict=True):
            partial.write(part, content[part.offset : part.offset + count])
        return list(partial.parts)


async def test_parts_come_side_by_side_and_make_the_blob(store: Store, shelf: Shelf, repository: Repository) -> None:
    digest = shelf.put(DATA)
    await download(store, repository, digest).run()
    assert store.read_blob(digest) == DATA
    assert len(shelf.asked) == PARTS
    assert files_of(store) == [f"sha256-{digest.hex}"]


async def test_only_what_is_missing_is_asked_for(store: Store, shelf: Shelf, repository: Repository) -> None:
    digest = shelf.put(DATA)
    parts = plan(store, digest, [375_000, 1000, 0, 375_000, 20, 375_000, 0, 374_999])
    running = download(store, repository, digest)
    await running.run()
    assert store.read_blob(digest) == DATA
    assert sorted(shelf.asked) == [(part.position, part.stop) for part in parts if not part.done]
    assert shelf.sent == len(DATA) - sum(part.completed for part in parts)


async def test_connections_cut_anywhere_lose_nothing(store: Store, shelf: Shelf, repository: Repository) -> None:
    """Cuts that bring bytes do not use up the tries, so a line that never lasts still gets there."""
    digest, chance = shelf.put(DATA), random.Random(7)
    shelf.script = lambda number, start, stop: Answer(stop_after=min(stop - start, chance.randrange(1, 90_000)))
    await download(store, repository, digest).run()
    assert store.read_blob(digest) == DATA
    assert len(shelf.asked) > 2 * PARTS
    assert shelf.sent < 1.2 * len(DATA)


async def test_a_part_that_brings_nothing_is_given_up_after_its_tries(
    store: Store, shelf: Shelf, repository: Repository
) -> None:
    digest = shelf.put(DATA)
    shelf.script = lambda number, start, stop: Answer(status=503) if start == 0 else Answer()
    with pytest.raises(RegistryError, match=r"max retries exceeded: .*503"):
        await download(store, repository, digest).run()
    assert shelf.asked.count((0, 375_000)) == QUICK.tries
    assert not store.has_blob(digest)
    assert f"sha256-{digest.hex}-partial" in files_of(store)


async def test_a_refusal_is_not_tried_again(store: Store, shelf: Shelf, repository: Repository) -> None:
    digest = shelf.put(DATA)
    shelf.script = lambda number, start, stop: Answer(status=403)
    with pytest.raises(RegistryError, match="403"):
        await download(store, repository, digest).run()
    assert len(shelf.asked) <= PARTS


async def test_a_stalled_connection_is_replaced(store: Store, shelf: Shelf, repository: Repository) -> None:
    digest = shelf.put(DATA)
    shelf.script = lambda number, start, stop: Answer(stop_after=70_000, hang=True) if number == 3 else Answer()
    await download(store, repository, digest).run()
    assert store.read_blob(digest) == DATA
    assert len(shelf.asked) == PARTS + 1


async def test_T08_a_trickle_is_given_up(store: Store, shelf: Shelf, repository: Repository) -> None:
    digest = shelf.put(DATA)
    shelf.script = lambda number, start, stop: Answer(pause_s=0.2) if start == 0 else Answer()
    running = asyncio.create_task(download(store, repository, digest).run())
    with pytest.raises(RegistryError, match="too slowly"):
        await asyncio.wait_for(running, 20)
    assert not store.has_blob(digest)


async def test_a_registry_without_ranges_sends_it_whole(store: Store, shelf: Shelf, repository: Repository) -> None:
    digest = shelf.put(DATA)
    shelf.ranges = False
    await download(store, repository, digest).run()
    assert store.read_blob(digest) == DATA


async def test_a_registry_without_ranges_that_always_breaks_is_given_up(
    store: Store, shelf: Shelf, repository: Repository
) -> None:
    digest = shelf.put(DATA)
    shelf.ranges = False
    shelf.script = lambda number, start, stop: Answer(stop_after=100_000)
    with pytest.raises(RegistryError, match="only as a whole"):
        await download(store, repository, digest).run()


async def test_T04_other_bytes_are_refused_and_nothing_is_kept(
    store: Store, shelf: Shelf, repository: Repository
) -> None:
    digest = shelf.put(DATA)
    shelf.script = lambda number, start, stop: Answer(swap=DATA[:-1] + b"x")
    with pytest.raises(DigestMismatch, match="digest mismatch, file must be downloaded again"):
        await download(store, repository, digest).run()
    assert files_of(store) == []


async def test_T04_what_a_power_cut_spoiled_is_fetched_anew(store: Store, shelf: Shelf, repository: Repository) -> None:
    digest = shelf.put(DATA)
    plan(store, digest, [375_000] * 4 + [10] * 4, content=b"?" * len(DATA))
    running = download(store, repository, digest)
    await running.run()
    assert store.read_blob(digest) == DATA
    assert running.completed == len(DATA)
    assert shelf.sent > len(DATA)


async def test_a_transfer_that_nobody_waits_for_keeps_its_parts(
    store: Store, shelf: Shelf, repository: Repository
) -> None:
    digest = shelf.put(DATA)
    shelf.script = lambda number, start, stop: Answer(stop_after=100_000, hang=True)
    running = download(store, repository, digest)
    task = asyncio.create_task(running.run())
    while running.completed < 400_000:
        await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.wait((task,))
    kept = running.completed
    shelf.script, shelf.sent = (lambda number, start, stop: Answer()), 0
    await download(store, repository, digest).run()
    assert store.read_blob(digest) == DATA
    assert shelf.sent <= len(DATA) - kept


async def test_a_blob_that_has_come_meanwhile_is_not_fetched(
    store: Store, shelf: Shelf, repository: Repository
) -> None:
    digest = shelf.put(DATA)
    store.put_blob(DATA)
    running = download(store, repository, digest)
    await running.run()
    assert (shelf.asked, running.completed, running.arrived.is_set()) == ([], len(DATA), True)


async def test_progress_counts_up_to_the_whole(store: Store, shelf: Shelf, repository: Repository) -> None:
    digest = shelf.put(DATA)
    shelf.script = lambda number, start, stop: Answer(stop_after=min(stop - start, 80_000))
    running = download(store, repository, digest)
    task, seen = asyncio.create_task(running.run()), [0]
    while not task.done():
        seen.append(running.completed)
        await asyncio.sleep(0.001)
    assert seen == sorted(seen)
    assert running.completed == running.total == len(DATA)


@pytest.mark.parametrize("size", [0, 1])
async def test_the_smallest_blobs(store: Store, shelf: Shelf, repository: Repository, size: int) -> None:
    digest = shelf.put(b"x" * size)
    await download(store, repository, digest, size).run()
    assert store.read_blob(digest) == b"x" * size
