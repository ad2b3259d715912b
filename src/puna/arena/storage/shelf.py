"""Named documents that people keep to use again: rosters of instances, and prompts (contract arena §2.2).

What a document holds is the routes' business. Calls block.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from puna.arena.storage.tables import shelf
from puna.database import Database
from puna.errors import NotFound

ShelfKind = Literal["roster", "prompts"]


@dataclass(frozen=True, slots=True)
class Item:
    id: str  # UUID4 in hex digits
    name: str
    created: datetime
    document: dict[str, Any]


class Shelf:
    """All items of one kind. Every method raises `DatabaseFailed`, and `NotFound` for an item that is not there."""

    def __init__(self, database: Database, kind: ShelfKind) -> None:
        self._database = database
        self._kind = kind

    def all(self) -> list[Item]:
        """The oldest first."""
        wanted = select(shelf.c.id, shelf.c.name, shelf.c.created, shelf.c.document).where(shelf.c.kind == self._kind)
        with self._database.reading() as connection:
            return [Item(*row) for row in connection.execute(wanted.order_by(shelf.c.created, shelf.c.id))]

    def add(self, name: str, document: dict[str, Any]) -> Item:
        item = Item(uuid4().hex, name, datetime.now(UTC), document)
        with self._database.writing() as connection:
            self.add_within(connection, item)
        return item

    def add_within(self, connection: Connection, item: Item) -> None:
        """As a part of a transaction."""
        connection.execute(insert(shelf), {"kind": self._kind, **asdict(item)})

    def put(self, item_id: str, name: str, document: dict[str, Any]) -> Item:
        """Replaces the item's name and document."""
        with self._database.writing() as connection:
            changed = update(shelf).where(self._is(item_id)).values(name=name, document=document)
            created = connection.scalar(changed.returning(shelf.c.created))
        if created is None:
            raise self._unknown()
        return Item(item_id, name, created, document)

    def delete(self, item_id: str) -> None:
        with self._database.writing() as connection:
            if not connection.execute(delete(shelf).where(self._is(item_id))).rowcount:
                raise self._unknown()

    def _is(self, item_id: str) -> ColumnElement[bool]:
        return and_(shelf.c.kind == self._kind, shelf.c.id == item_id)

    def _unknown(self) -> NotFound:
        return NotFound("There is no such roster" if self._kind == "roster" else "There are no such prompts")
