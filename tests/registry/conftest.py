"""What the transfers' tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "models")
    store.start()
    return store
