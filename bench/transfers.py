"""How long a pull takes, against `curl` of the same blob from the same registry, and what it costs the server.

The registry is Debian's, on loopback; the blob is random bytes that stand as a model's weights. The two sides take
turns, each with its target gone and the disk's queue empty. Both write to one disk, in one temporary folder.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from time import perf_counter

import psutil
from tests.registries import DockerRegistry, Exchange, Layer, Model, Proxy, Stall
from tests.servers import Server

from bench.figures import Figure, Goal

GIGABYTE = 10**9
MEBIBYTE = 1 << 20

PROGRAMS = ("docker-registry", "curl", "sha256sum")
COPIES = 3  # of the blob, at once: the registry's, curl's, Puna's
RESERVE = 3 * GIGABYTE  # Puna refuses a pull that would leave less than 2 GB of the disk
CHUNK = 1 << 20  # random bytes at a time

ROUND_TRIP_S = 0.020
SILENT_REQUEST = 3  # which of a pull's requests for the blob falls silent
SILENT_AFTER = 20_000_000  # bytes
WARM_UP = 1  # turns that are thrown away
RECHECKS = 5  # pulls of what is there, after each pull of what is not
LOOK_S = 0.01  # between two looks at the server's memory

GOAL = Goal(1.2, "at most")


@dataclass(frozen=True, slots=True)
class Turns:
    """How often each side goes each way."""

    direct: int
    delayed: int
    silent: int


@dataclass(frozen=True, slots=True)
class Pull:
    """Puna's turn."""

    seconds: float
    cpu_s: float  # user and system time of the server
    memory: int  # bytes, the most that the server had resident
    rechecks: Sequence[float]  # seconds that it took to pull again what was there


@dataclass(frozen=True, slots=True)
class Fetch:
    """The baseline's turn, in seconds."""

    curl: float
    sha256sum: float


Turn = tuple[Pull, Fetch]


def require(size: int) -> None:
    """End the run with one line when something is missing, before minutes are spent on the other figures."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            raise SystemExit(f"bench: {program} is missing; Debian has it in docker-registry, curl or coreutils")
    needed = COPIES * size + RESERVE
    if shutil.disk_usage(gettempdir()).free < needed:
        raise SystemExit(f"bench: {gettempdir()} needs {needed / GIGABYTE:.1f} GB of free space; TMPDIR names another")


def conditions() -> dict[str, object]:
    """What a reader must know to judge these figures."""
    folder = Path(gettempdir()).resolve()
    mounts = [mount for mount in psutil.disk_partitions(all=True) if folder.is_relative_to(mount.mountpoint)]
    mount = max(mounts, key=lambda mount: len(mount.mountpoint), default=None)
    return {
        "file_system": mount.fstype if mount else "unknown",
        "versions": {program: _version(program) for program in PROGRAMS},
        "falls_silent_after_bytes": SILENT_AFTER,
    }


async def measure(*, size: int, turns: Turns) -> list[Figure]:
    """Every way, one after the other; `size` is that of the blob in bytes."""
    with TemporaryDirectory(prefix="puna-bench-") as name, DockerRegistry(Path(name, "registry")) as registry:
        folder = Path(name)
        model = await asyncio.to_thread(_publish, registry.url, folder / "weights", size)
        with Proxy(registry.port, latency_s=ROUND_TRIP_S / 2) as slow, Proxy(registry.port) as frail:
            environment = {
                "PUNA_REGISTRIES": ",".join((registry.url, slow.url, frail.url)),
                "PUNA_EMBEDDED_MODEL": "false",
            }
            with Server(folder / "models", folder / "home", environment) as server:
                rivals = Rivals(server, model, size, folder / "fetched")
                idle = rivals.memory()
                direct = [await rivals.turn(registry.host) for _ in range(WARM_UP + turns.direct)][WARM_UP:]
                delayed = [await rivals.turn(slow.host) for _ in range(turns.delayed)]
                silent = [await rivals.turn(frail.host, frail) for _ in range(turns.silent)]
    return figures_of(size, idle, direct, delayed, silent)


class Rivals:
    """A server and `curl`, both on their way to the same blob, which they find through a `host`."""

    def __init__(self, server: Server, model: Model, size: int, fetched: Path) -> None:
        assert server.process is not None
        self._process = psutil.Process(server.process.pid)
        self._server = server
        self._model = model
        self._size = size
        self._blob_path = f"/v2/{model.repository}/blobs/{model.layers[0].digest}"
        self._pulled = server.models / "blobs" / model.layers[0].digest.replace(":", "-")
        self._fetched = fetched

    async def turn(self, host: str, frail: Proxy | None = None) -> Turn:
        """One pull and one fetch; where there is a `frail` proxy, one connection of the pull falls silent."""
        if frail is None:
            return await self._pull(host), await self._fetch(host)
        with self._silence(frail):
            pull = await self._pull(host)
        return pull, await self._fetch(host)

    def memory(self) -> int:
        """Bytes that the server has resident."""
        return int(self._process.memory_info().rss)

    async def _pull(self, host: str) -> Pull:
        os.sync()
        cpu_before = self._cpu_s()
        pulling = asyncio.create_task(asyncio.to_thread(self._pull_s, host))
        memory = await self._most_memory(pulling)
        seconds, cpu_s = pulling.result(), self._cpu_s() - cpu_before
        assert self._pulled.stat().st_size == self._size
        rechecks = [await asyncio.to_thread(self._pull_s, host) for _ in range(RECHECKS)]
        body = {"model": f"{host}/{self._model.name}"}
        answer = await asyncio.to_thread(self._server.request, "DELETE", "/api/delete", body)
        assert answer.status == 200, answer.body
        assert not self._pulled.exists()
        return Pull(seconds, cpu_s, memory, rechecks)

    async def _fetch(self, host: str) -> Fetch:
        os.sync()
        target = (self._fetched, f"http://{host}{self._blob_path}")
        curl = await _run_s("curl", "--silent", "--show-error", "--fail", "--output", *target)
        sha256sum = await _run_s("sha256sum", self._fetched)
        assert self._fetched.stat().st_size == self._size
        self._fetched.unlink()
        return Fetch(curl, sha256sum)

    def _pull_s(self, host: str) -> float:
        """One `/api/pull` to its last line."""
        began = perf_counter()
        answer = self._server.post("/api/pull", {"model": f"{host}/{self._model.name}"})
        seconds = perf_counter() - began
        assert answer.lines[-1] == {"status": "success"}, answer.body[-1000:]
        return seconds

    async def _most_memory(self, pulling: asyncio.Task[float]) -> int:
        most = 0
        while not pulling.done():
            most = max(most, self.memory())
            await asyncio.wait((pulling,), timeout=LOOK_S)
        return most

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @contextmanager
    def _silence(self, proxy: Proxy) -> Iterator[None]:
        """One request for the blob falls silent; that none came so far would be a fault of the benchmark."""
        requests = itertools.count(1)

        def fault(exchange: Exchange) -> Stall | None:
            if exchange.method != "GET" or exchange.path != self._blob_path or next(requests) != SILENT_REQUEST:
                return None
            return Stall(SILENT_AFTER)

        nothing, proxy.faults = proxy.faults, fault
        yield
        proxy.faults = nothing
        assert any(exchange.fault and exchange.received == SILENT_AFTER for exchange in list(proxy.exchanges))
        proxy.exchanges.clear()


def _publish(url: str, weights: Path, size: int) -> Model:
    """A model of random bytes in the registry, and nowhere else."""
    with weights.open("wb") as file:
        for offset in range(0, size, CHUNK):
            file.write(os.urandom(min(CHUNK, size - offset)))
    model = Model("bench/random:latest", [Layer(weights)])
    model.publish(url)
    weights.unlink()
    return model


def figures_of(
    size: int, idle: int, direct: Sequence[Turn], delayed: Sequence[Turn], silent: Sequence[Turn]
) -> list[Figure]:
    """`idle` is the server's memory before the first pull, in bytes."""
    what = f"pull of {size / GIGABYTE:g} GB"
    pulls = [pull for pull, _ in direct]
    seconds = [pull.seconds for pull in pulls]
    checked = [fetch.curl + fetch.sha256sum for _, fetch in direct]
    most = [pull.memory / MEBIBYTE for pull in pulls]
    before = [idle / MEBIBYTE] * len(pulls)
    rechecks = [seconds * 1000 for pull in pulls for seconds in pull.rechecks]
    return [
        Figure(f"{what} ÷ curl and sha256sum", "loopback", "ratio", "s", seconds, checked, GOAL),
        _against_curl(what, "loopback", direct),
        _against_curl(what, f"{ROUND_TRIP_S * 1000:g} ms away", delayed),
        _against_curl(what, "loopback, one connection falls silent", silent),
        Figure(f"{what}, CPU time of the server", "loopback", "alone", "s", [pull.cpu_s for pull in pulls]),
        Figure(f"{what}, most memory of the server, added", "loopback", "added", "MiB", most, before),
        Figure("pull of what is here", "loopback", "alone", "ms", rechecks),
    ]


def _against_curl(what: str, way: str, turns: Sequence[Turn]) -> Figure:
    ours = [pull.seconds for pull, _ in turns]
    return Figure(f"{what} ÷ curl", way, "ratio", "s", ours, [fetch.curl for _, fetch in turns])


async def _run_s(*command: str | Path) -> float:
    """Seconds from the start of a program to its end, which has to be a good one."""
    nowhere, environment = asyncio.subprocess.DEVNULL, {"PATH": os.environ["PATH"]}
    began = perf_counter()
    child = await asyncio.create_subprocess_exec(*command, env=environment, stdout=nowhere)
    status = await child.wait()
    seconds = perf_counter() - began
    assert status == 0, f"{command[0]} ended with {status}"
    return seconds


def _version(program: str) -> str:
    words = subprocess.run((program, "--version"), capture_output=True, text=True, check=True).stdout.split()
    return next(word for word in words if word[0].isdigit())
