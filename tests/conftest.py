"""What every test gets: an empty home, no settings from the machine, and the paths of the test models."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tiny_models
from tests.postgres import Postgres

# A run that a shell put in the background ignores Ctrl-C, and so would every child that a test wants to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# These files take longest. They begin first: a worker that is left with one of them at the end works alone.
LONGEST = (
    "api/test_crashes_and_streams",
    "cli/test_with_the_real_server",
    "page/test_battling",
    "page/test_leaderboard_page",
    "api/test_openapi_fuzz",
    "page/test_hands_and_eyes",
    "transfers/test_what_a_hostile_registry_may_answer",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    first = {f"tests/{name}.py": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: first.get(item.nodeid.partition("::")[0], len(first)))


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home folder of the test's own; no `PUNA_` or `OLLAMA_` variable of the machine is seen."""
    folder = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("PUNA_", "OLLAMA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """A command that a test runs in this process sends the log to a standard error that ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """The packaged real model: 135 million parameters, 98 MB."""
    return tiny_models.smollm2_gguf()


@pytest.fixture(scope="session")
def tiny_llama() -> Path:
    return tiny_models.tiny_llama(tiny_models.cache_folder())


@pytest.fixture(scope="session")
def tiny_thinker() -> Path:
    """A tiny llama whose chat template has `<think>` blocks."""
    template = tiny_models.THINKING_TEMPLATE
    return tiny_models.tiny_llama(tiny_models.cache_folder(), name="tiny-thinker", chat_template=template)


@pytest.fixture(scope="session")
def tiny_tools() -> Path:
    """A tiny llama whose chat template knows tools."""
    template = tiny_models.TOOLS_TEMPLATE
    return tiny_models.tiny_llama(tiny_models.cache_folder(), name="tiny-tools", chat_template=template)


@pytest.fixture(scope="session")
def tiny_embedder() -> Path:
    return tiny_models.tiny_embedder(tiny_models.cache_folder())


@pytest.fixture(scope="session")
def tiny_lora() -> Path:
    return tiny_models.tiny_lora(tiny_models.cache_folder())
