from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.database import Database, database_url
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that nobody has used yet."""
    if request.param == "sqlite":
        return str(tmp_path / "folder/puna.db")
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    found = Database(database_url(url))
    yield found
    found.close()
