from __future__ import annotations

from pathlib import Path

import pytest

from puna.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A started, empty store."""
    store = Store(tmp_path / "models")
    store.start()
    return store
