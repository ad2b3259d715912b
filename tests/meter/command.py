"""`puna meter` in this process, in front of synthetic endpoints that live in a thread."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from puna.cli import main
from tests.meter.synthetic import Synthetic, running
from tests.servers import NO_NETWORK

PATIENT_NS = 10**12  # the endpoint shares this process: the loop's lag is not what these tests are about


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


Meter = Callable[..., Result]


@contextmanager
def serving(*synthetics: Synthetic) -> Iterator[list[str]]:
    """The addresses of some endpoints, served by a thread: commands bring an event loop of their own."""
    ready, stop = threading.Event(), asyncio.Event()
    urls: list[str] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            for synthetic in synthetics:
                urls.append((await stack.enter_async_context(running(synthetic))).url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield urls
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture
def meter(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Meter:
    """`puna meter` with these words in an empty folder, without a terminal and without a cloud."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "240")
    for name in ("OMETER_RUNS", "OMETER_PARALLEL", "OMETER_HISTORY_DB"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OLLAMA_HOST", "OLLAMA_CLOUD_BASE_URL"):
        monkeypatch.setenv(name, NO_NETWORK)
    monkeypatch.setattr("puna.meter.cell.MAX_LAG_NS", PATIENT_NS)
    monkeypatch.setattr("puna.meter.retrying.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("puna.meter.measure.gc", SimpleNamespace(collect=int, freeze=int, unfreeze=int))  # 0.2 s here
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*words: str) -> Result:
        status = main(["meter", *words])
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return run
