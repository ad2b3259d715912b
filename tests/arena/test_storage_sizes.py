"""How much is kept, and what keeping fewer days would delete (contract arena §2.11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import update

from puna.arena.storage.sessions import Sessions
from puna.arena.storage.sizes import count_older, read_sizes
from puna.arena.storage.tables import sessions
from puna.arena.storage.votes import Votes
from puna.database import Database
from tests.arena.doors import GONE, door
from tests.arena.polls import kept, votes

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MIB = 1 << 20


def add(database: Database, *, days: float = 0.0, size: int = 0) -> str:
    """A session that was changed last so long ago."""
    made = Sessions(database).create(system="x" * size).id
    with database.writing() as connection:
        at = NOW - timedelta(days=days)
        connection.execute(update(sessions).where(sessions.c.id == made).values(updated=at))
    return made


def test_what_is_kept_is_counted_and_measured(database: Database) -> None:
    empty = read_sizes(database)
    assert (empty.sessions, empty.battles, empty.votes) == (0, 0, 0)
    for _ in range(4):
        Sessions(database).create(system="".join(chr(0x4E00 + number % 9973) for number in range(MIB // 3)))
    Votes(database).add_many(kept(votes(("xy", "A", 3))))
    full = read_sizes(database)
    assert (full.sessions, full.votes) == (4, 3)
    if database.is_sqlite:
        assert 4 * MIB < full.used - empty.used < 8.5 * MIB
    else:
        assert MIB / 4 < full.used - empty.used < 8.5 * MIB, "it packs texts"
    assert full.on_disk >= full.used - MIB


def test_what_stands_in_the_log_only_is_counted(sqlite: Database) -> None:
    read_sizes(sqlite)
    with sqlite.reading() as reader:  # keeps the log from being moved into the file
        reader.exec_driver_sql("BEGIN")
        reader.exec_driver_sql("SELECT count(*) FROM arena_sessions").all()
        Sessions(sqlite).create(system="x" * 4 * MIB)
        file = Path(str(sqlite.url.database))
        found = read_sizes(sqlite)
        assert file.stat().st_size < MIB
        assert 4 * MIB < found.used < 5 * MIB
        assert found.on_disk == sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*"))


def test_what_was_deleted_is_not_kept(sqlite: Database) -> None:
    before = read_sizes(sqlite)
    add(sqlite, size=4 * MIB)
    full = read_sizes(sqlite)
    Sessions(sqlite).delete_all()
    after = read_sizes(sqlite)
    assert full.used - before.used > 4 * MIB
    assert after.used - before.used < MIB / 4
    assert after.on_disk > 4 * MIB, "the file keeps the room for what comes"


def test_older_sessions_are_counted_as_they_are_deleted(database: Database) -> None:
    for days in (1, 29.9, 30, 31, 400):
        add(database, days=days)
    before = NOW - timedelta(days=30)
    assert count_older(database, before) == 2
    assert Sessions(database).delete_all(before) == 2
    assert count_older(database, before) == 0


async def test_the_page_asks_before_it_deletes(sqlite: Database) -> None:
    async with door(GONE, database=sqlite) as opened:
        made = (await opened.post("/api/arena/sessions", {"title": "T"})).json
        told = (await opened.get("/api/arena/storage")).json
        assert (told["sessions"], told["battles"], told["votes"], told["older"]) == (1, 0, 0, None)
        assert 0 < told["bytes"] <= told["on_disk"]
        for before, older in ((made["updated"], 0), ("2126-01-01", 1)):
            query = f"?before={quote(before)}"
            assert (await opened.get(f"/api/arena/storage{query}")).json["older"] == older
            async with opened.session.delete(f"{opened.url}/api/arena/sessions{query}") as reply:
                assert (await reply.json())["deleted"] == older
        assert (await opened.get("/api/arena/storage?before=soon")).told == (
            400, "Invalid before: must be a date or a time in ISO 8601"
        )  # fmt: skip


async def test_A4_sizes_need_the_token(sqlite: Database) -> None:
    async with door(GONE, database=sqlite, token="secret") as opened:
        assert (await opened.get("/api/arena/storage")).status == 401
