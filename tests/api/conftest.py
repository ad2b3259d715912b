"""One real server for the whole room, with the models of the contract's vectors: M, E, T and the packaged SmolLM2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server

SMOL = "smollm2:135m"


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_llama: Path,
    tiny_embedder: Path,
    tiny_thinker: Path,
    tiny_tools: Path,
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with Server(folder / "models", folder / "home") as running:
        running.create("M", tiny_llama)
        running.create("E", tiny_embedder)
        running.create("T", tiny_thinker)
        running.create("tools", tiny_tools)
        yield running
