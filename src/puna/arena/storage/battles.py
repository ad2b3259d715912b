"""Battles in the database, each as one document (contract arena §2.11). Calls block."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, insert, select, update

from puna.arena.record import BattleRecord
from puna.arena.storage.tables import battles
from puna.database import Database
from puna.errors import NotFound

_DOCUMENT = TypeAdapter(BattleRecord)

Step = Callable[[BattleRecord], BattleRecord]
Also = Callable[[Connection, BattleRecord], None]


class BattleStore:
    """Every method raises `DatabaseFailed`, and `NotFound` for a battle that is not there. Threads may share one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: BattleRecord) -> None:
        with self._database.writing() as connection:
            connection.execute(insert(battles), {"id": record.id, "at": record.at, **_row(record)})

    def get(self, battle_id: str) -> BattleRecord:
        with self._database.reading() as connection:
            return _read(connection.scalar(select(battles.c.document).where(battles.c.id == battle_id)))

    def change(self, battle_id: str, step: Step, also: Also | None = None) -> BattleRecord:
        """The battle after `step`, with nobody between reading and writing: of two votes the second sees the first.

        `also` writes what belongs to it, in the same transaction. What either raises changes nothing.
        """
        wanted = select(battles.c.document).where(battles.c.id == battle_id).with_for_update()
        with self._database.writing() as connection:
            record = step(_read(connection.scalar(wanted)))
            connection.execute(update(battles).where(battles.c.id == battle_id), _row(record))
            if also is not None:
                also(connection, record)
        return record

    def newest(self, limit: int = 50, before: datetime | None = None) -> list[BattleRecord]:
        """Newest first; `before` is the time of the last one of the page before."""
        wanted = select(battles.c.document).order_by(battles.c.at.desc(), battles.c.id).limit(limit)
        if before is not None:
            wanted = wanted.where(battles.c.at < before)
        with self._database.reading() as connection:
            return [_read(document) for document in connection.scalars(wanted)]


def _row(record: BattleRecord) -> dict[str, Any]:
    return {
        "state": record.battle.state,
        "blind": record.battle.blind,
        "prompt": record.turns[0].prompt,
        "document": _DOCUMENT.dump_python(record, mode="json"),
    }


def _read(document: Any | None) -> BattleRecord:
    if document is None:
        raise NotFound("Battle not found")
    return _DOCUMENT.validate_python(document)
