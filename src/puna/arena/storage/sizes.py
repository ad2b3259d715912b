"""How much is kept, and what room it takes (contract arena §2.11). Calls block."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Table, func, select

from puna.arena.storage.tables import battles, metadata, sessions, votes
from puna.database import Database

_FILES = ("", "-wal", "-shm")  # SQLite's, behind the name


@dataclass(frozen=True, slots=True)
class Sizes:
    """SQLite has one file, and what the meter measured lies in it, too; in PostgreSQL these are the arena's tables."""

    sessions: int
    battles: int
    votes: int
    used: int  # bytes of what is kept; in PostgreSQL also of what was deleted, until it tidies up
    on_disk: int  # bytes, with the room that SQLite keeps for what comes, and its write-ahead log


def read_sizes(database: Database) -> Sizes:
    """Raises `DatabaseFailed`."""
    with database.reading() as connection:
        used, on_disk = _sqlite_room(connection, database) if database.is_sqlite else _postgresql_room(connection)
        held, fought, given = (_count(connection, table) for table in (sessions, battles, votes))
    return Sizes(held, fought, given, used, on_disk)


def count_older(database: Database, before: datetime) -> int:
    """Sessions that `Sessions.delete_all` would delete. Raises `DatabaseFailed`."""
    with database.reading() as connection:
        wanted = select(func.count()).select_from(sessions).where(sessions.c.updated < before)
        return connection.execute(wanted).scalar_one()


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _sqlite_room(connection: Connection, database: Database) -> tuple[int, int]:
    """Its pages are counted with those that stand in the write-ahead log only."""
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names)
    files = (Path(f"{database.url.database}{suffix}") for suffix in _FILES)
    return (pages - free) * size, sum(file.stat().st_size for file in files if file.exists())


def _postgresql_room(connection: Connection) -> tuple[int, int]:
    """With indexes, and what is stored out of line."""
    rooms = (func.pg_total_relation_size(func.to_regclass(name)) for name in metadata.tables)
    room = sum(connection.execute(select(*rooms)).one())
    return room, room
