"""A pull of each lie from one server, and that server watched meanwhile (threats T08)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from tests.registries import Canary, HostileRegistry
from tests.servers import Server
from tests.transfers.lies import LIES
from tests.transfers.moving import Line, filler, outside, pull

AT_ONCE = 40  # more than there are slow ones


@dataclass(frozen=True)
class HostilePull:
    lines: list[Line]
    seconds: float


class HostilePulls:
    """All are begun at once. `ended` has a future for each lie; the figures are complete after `wait`."""

    def __init__(self, server: Server, registry: HostileRegistry, broken: Canary) -> None:
        assert server.process is not None
        self.server = server
        self.files = outside(server)
        self.slowest_version_s = 0.0
        process = psutil.Process(server.process.pid)
        self.before = self.largest = process.memory_info().rss
        names = {"truncated TLS": f"{broken.host}/t08/tls"}
        for number, (lie, tell) in enumerate(LIES.items()):
            model = filler(f"t08/lie{number}:latest", 100_000)
            registry.serve_model(model)
            tell(registry, model)
            names[lie] = f"{registry.host}/{model.name}"
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self.ended = {lie: self._pool.submit(self._pull, name) for lie, name in names.items()}
        self._watching = threading.Thread(target=self._watch, args=(process,))
        self._watching.start()

    def wait(self) -> None:
        self._pool.shutdown()
        self._watching.join()

    def _pull(self, name: str) -> HostilePull:
        begin = time.monotonic()
        lines = pull(self.server, name)
        return HostilePull(lines, time.monotonic() - begin)

    def _watch(self, process: psutil.Process) -> None:
        while not all(pull.done() for pull in self.ended.values()):
            begin = time.monotonic()
            assert self.server.get("/api/version").status == 200
            self.slowest_version_s = max(self.slowest_version_s, time.monotonic() - begin)
            self.largest = max(self.largest, process.memory_info().rss)
            time.sleep(0.05)
