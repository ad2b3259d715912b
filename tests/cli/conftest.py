"""The fake server in a thread of its own, and the command line in front of it."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from puna.cli import main
from puna.client import Endpoint
from tests.client.fake_server import FakeServer, running


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def endpoint(server: FakeServer) -> Iterator[Endpoint]:
    """Where the fake listens, in a thread: commands bring an event loop of their own."""
    ready, stop = threading.Event(), asyncio.Event()
    found: list[Endpoint] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with running(server) as address:
            found.append(address)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


Puna = Callable[..., Result]


@pytest.fixture
def puna(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Puna:
    """Run one command line in this process; `stdin` is what is piped into it."""

    def run(*words: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = main(words)
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return run


@pytest.fixture
def served(puna: Puna, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Puna:
    """`puna` with OLLAMA_HOST naming the fake server."""
    monkeypatch.setenv("OLLAMA_HOST", endpoint.url)
    return puna
