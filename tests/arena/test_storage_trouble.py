"""A disk without room, a database that another program holds: one line says what was not saved and how to go on (§2.15).

The full disk is a small tmpfs that only the arena sees; the lock is a second connection's.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from puna.arena.unsaved import unsaved
from puna.database import Database
from puna.environment import inherited
from puna.errors import DatabaseFailed
from tests.arena.doors import GONE, door
from tests.arena.test_starting import address, until_it_answers
from tests.code.scripted import Scripted, upstream
from tests.transfers.test_full_disk import MOUNT, fill, unshare

Json = dict[str, Any]

DISK = 4 << 20
LONG = "An owl. " * 100_000
LOCKED = "the database cannot be used: database is locked. "
LATER = ". Another program is writing to it: try again when that is done"


def prompts(text: str = "Why?") -> Json:
    created = "2026-11-23T00:00:00Z"
    return {"record": "prompts", "id": uuid4().hex, "name": "N", "created": created, "document": {"text": text}}


@asynccontextmanager
async def on_a_small_disk(folder: Path) -> AsyncIterator[tuple[str, Path, aiohttp.ClientSession]]:
    """The arena's address, its disk as it is seen from here, and who asks."""
    words = (*unshare(), "sh", "-c", MOUNT, "sh", str(DISK), str(folder), sys.executable, "-m", "puna.cli", "arena")
    process = await asyncio.create_subprocess_exec(
        *words, "--port", "0", "--endpoint", "gone=http://127.0.0.1:1", stderr=asyncio.subprocess.PIPE, env=inherited()
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60), aiohttp.ClientSession() as http:
            url = await address(process.stderr)
            await until_it_answers(http, url)
            yield f"{url}/api/arena", Path(f"/proc/{process.pid}/root{folder}"), http
    finally:
        process.kill()
        await process.wait()


async def test_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNA_DATABASE", str(tmp_path / "puna.db"))
    async with on_a_small_disk(tmp_path) as (url, disk, http):

        async def told(path: str, body: object) -> tuple[int, Json]:
            async with http.post(f"{url}/{path}", data=json.dumps(body)) as reply:
                return reply.status, await reply.json()

        assert (await told("import", [prompts()]))[1]["new"] == 1
        ballast = await asyncio.to_thread(fill, disk)
        large = [prompts(), prompts(LONG)]
        assert (await told("import?dry_run=1", large))[1]["new"] == 2, "reading needs no room"
        assert await told("import", large) == (500, {"error":
            "the database cannot be used: database or disk is full. Nothing of the file was imported. "
            "Free some space on its disk, then try again"
        })  # fmt: skip
        status, wrong = await told("sessions", {"title": "T", "system": LONG})
        assert (status, wrong["error"].partition(". ")[2]) == (
            500, "This change was not saved. Free some space on its disk, then try again"
        )  # fmt: skip
        async with http.get(f"{url}/prompts") as reply:
            assert len((await reply.json())["items"]) == 1, "nothing of a file, not even what would have fitted"
        ballast.unlink()
        assert (await told("import", large))[1]["new"] == 2


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("puna.database.database._PATIENCE_S", 0.05)


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Another program is in the middle of writing."""
    with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.usefixtures("impatient")
async def test_a_database_that_another_program_holds_is_told_of(sqlite: Database) -> None:
    async with door(GONE, database=sqlite) as opened:
        path = f"/api/arena/sessions/{(await opened.post('/api/arena/sessions', {'title': 'T'})).json['id']}"
        with held(sqlite):
            for method, at, body, lost in (
                ("POST", "/api/arena/import", [prompts()], "Nothing of the file was imported"),
                ("PATCH", path, {"title": "U"}, "This change was not saved"),
                ("DELETE", "/api/arena/sessions?before=2030-01-01", None, "Nothing was deleted"),
            ):
                async with opened.session.request(method, f"{opened.url}{at}", json=body) as reply:
                    assert (reply.status, await reply.json()) == (500, {"error": f"{LOCKED}{lost}{LATER}"})
            assert (await opened.get(path)).json["title"] == "T", "what is saved can be read"
        assert (await opened.post("/api/arena/import", [prompts()])).json["new"] == 1


@pytest.mark.usefixtures("impatient")
async def test_answers_that_cannot_be_saved_are_streamed_and_told_of(sqlite: Database) -> None:
    go_on = asyncio.Event()
    model = Scripted(script=["so far", go_on, " and on"])
    async with upstream(model) as (_, endpoint), door(endpoint, database=sqlite) as opened:
        session = (await opened.post("/api/arena/sessions", {})).json["id"]
        turns = f"{opened.url}/api/arena/sessions/{session}/turns"
        async with opened.session.post(turns, json={"prompt": "?", "model_instances": [{"model": "m"}]}) as reply:
            while b'"token"' not in await reply.content.readline():
                pass
            with held(sqlite):
                go_on.set()
                *_, end, last = map(json.loads, (await reply.content.read()).splitlines())
        assert end["done"] is True
        lost = "Not all answers of this turn were saved: copy what you need from the page"
        assert last == {"error": f"{LOCKED}{lost}{LATER}"}


@pytest.mark.parametrize(
    ("reason", "way"),
    [
        ("database or disk is full", "Free some space on its disk, then try again"),
        ('could not extend file "x": No space left on device', "Free some space on its disk, then try again"),
        ("canceling statement due to lock timeout", "Another program is writing to it: try again when that is done"),
        ("attempt to write a readonly database", "Let the arena write to its file and folder, then try again"),
        ("connection to server failed: Connection refused", "See that its server runs, then try again"),
        ("no such table: lost", "Try again, and if it stays so, start the arena anew"),
    ],
)
def test_there_is_always_a_way_on(reason: str, way: str) -> None:
    found = unsaved(DatabaseFailed(reason), "Nothing was lost")
    assert (found.message, found.status) == (f"the database cannot be used: {reason}. Nothing was lost. {way}", 500)
