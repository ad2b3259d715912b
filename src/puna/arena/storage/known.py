"""Which ids a table has already. Calls block."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from sqlalchemy import Connection, Table, select

CHUNK = 500  # rows at a time, far below what either database takes as parameters


def known_ids(connection: Connection, table: Table, ids: Iterable[str]) -> frozenset[str]:
    """Those of `ids` that stand in the table's column `id`."""
    found: set[str] = set()
    coming = iter(ids)
    while chunk := list(islice(coming, CHUNK)):
        found.update(connection.scalars(select(table.c.id).where(table.c.id.in_(chunk))))
    return frozenset(found)
