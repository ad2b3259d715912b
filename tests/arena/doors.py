"""The arena on a real socket, in front of one or more endpoints: `async with door(endpoint) as opened`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from puna.arena.config import ArenaConfig
from puna.arena.face import face
from puna.client import Endpoint
from puna.database import Database, database_url
from tests.doors import Door, Reply, served

__all__ = ["GONE", "Door", "Json", "Reply", "door"]

Json = dict[str, Any]

GONE = Endpoint(port=1)  # nobody listens there


@asynccontextmanager
async def door(
    *endpoints: Endpoint, database: Database | None = None, page: Path | None = None, **settings: Any
) -> AsyncIterator[Door]:
    """The first endpoint is called `first`, the others by their place; `settings` are fields of `ArenaConfig`.

    Without a `database` it has a throw-away one; without a `page` it has none.
    """
    with TemporaryDirectory(prefix="arena-") as folder:
        own = database or Database(database_url(f"{folder}/puna.db"))
        names = dict(zip(("first", "second", "third"), endpoints, strict=False))
        opened = face(ArenaConfig(port=0, **settings), names, own, page=page or Path(folder) / "page")
        async with served(opened) as session:
            yield Door(opened.listener.port, session)
