from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.database import Database, database_url
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        url = str(tmp_path / "puna.db")
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.database()
    found = Database(database_url(url))
    yield found
    found.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """An empty database of the usual kind, for what is the same on both."""
    found = Database(database_url(str(tmp_path / "puna.db")))
    yield found
    found.close()
