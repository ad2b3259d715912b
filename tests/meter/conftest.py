from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.database import Database, database_url
from puna.meter.history import History
from tests.postgres import Postgres
from tests.servers import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """An empty history, on each kind of database."""
    if request.param == "sqlite":
        url = str(tmp_path / "puna.db")
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.database()
    database = Database(database_url(url))
    yield History(database)
    database.close()


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_embedder: Path) -> Iterator[Server]:
    """The real runtime with the packaged SmolLM2 (`smollm2:135m`), a very fast model and an embedding model."""
    folder = tmp_path_factory.mktemp("runtime")
    with Server(folder / "models", folder / "home", {"PUNA_CONTEXT_LENGTH": "2048"}) as running:
        running.create("tiny", tiny_llama)
        running.create("embedder", tiny_embedder)
        yield running
