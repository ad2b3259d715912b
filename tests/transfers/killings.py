"""`kill -9` of a server at random moments of its pulls and pushes, with a look at everything that is left each time."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from tests.registries import DockerRegistry, Model, Proxy
from tests.servers import Server
from tests.transfers.moving import (
    a_server,
    assert_progress_never_runs_backwards,
    assert_sound,
    assert_success,
    blob_file,
    filler,
    journalled,
    listed,
    pull,
    push,
)

MB = 10**6
TRANSFER_S = 1.0  # about how long a transfer takes that nobody kills; the proxy sees to it
JOURNAL_STEP = 4 * 2**20  # bytes of a part that a killed server may have to fetch again
UNDERWAY = 2**20  # bytes that may lie between the proxy and the server's file: socket buffers, one piece in memory


@dataclass
class Killings:
    """What was done to one server: how often it was killed, and how many transfers were through before that."""

    server: Server
    chance: random.Random
    kills: int = 0
    finished: int = 0

    def transfer_until_killed(self, route: str, name: str) -> bool:
        """Returns whether the transfer was through before the moment came."""
        timer = threading.Timer(self.chance.uniform(0, TRANSFER_S), self.server.kill)
        timer.start()
        lines = []
        with suppress(OSError, HTTPException, ValueError):  # what a client sees of a server that dies
            for line in self.server.stream(route, {"model": name}):
                lines.append(line)
        timer.join()
        self.kills += 1
        assert_progress_never_runs_backwards(lines)
        assert [line for line in lines if "error" in line] == []
        return lines[-1:] == [{"status": "success"}]


def kill_pulls(registry: DockerRegistry, folder: Path, count: int, seed: int) -> Killings:
    """`count` kills in pulls of one model; each time it is through, it is deleted and pulled anew."""
    model = filler(f"library/killed{seed}:latest", 10 * MB, 5 * MB, 1000)
    kept = filler(f"library/kept{seed}:latest", 1 * MB)
    for each in (model, kept):
        each.publish(registry.url)
    with Proxy(registry.port) as proxy, a_server(folder, proxy.url) as server:
        kept_name, name = f"{proxy.host}/{kept.name}", f"{proxy.host}/{model.name}"
        assert_success(pull(server, kept_name))
        killings = Killings(server, random.Random(seed))
        proxy.bytes_per_s = model.size / TRANSFER_S
        while killings.kills < count:
            missing = _missing(server, model)
            before = proxy.served("/blobs/")
            through = killings.transfer_until_killed("/api/pull", name)
            fetched = proxy.served("/blobs/") - before
            assert_sound(server.models)
            assert fetched <= missing, f"only what was missing is fetched: {fetched} > {missing}"
            arrived = missing - _missing(server, model)
            assert arrived >= fetched - JOURNAL_STEP - UNDERWAY, "what has arrived need not be fetched again"
            server.start()
            names = listed(server)
            assert kept_name in names
            assert not through or name in names, "a model that was announced is never lost"
            if name in names:
                killings.finished += 1
                assert server.request("DELETE", "/api/delete", {"model": name}).status == 200
        missing, before = _missing(server, model), proxy.served("/blobs/")
        assert_success(pull(server, name))
        assert proxy.served("/blobs/") - before == missing
        assert_sound(server.models)
        assert set(listed(server)) == {kept_name, name}
    return killings


def kill_pushes(registry: DockerRegistry, folder: Path, gguf: Path, count: int, seed: int) -> Killings:
    """`count` kills in pushes; nothing here is ever harmed, and what the registry lists in the end is whole."""
    with Proxy(registry.port) as proxy, a_server(folder / "one", proxy.url, push=True) as server:
        killings = Killings(server, random.Random(seed))
        name = ""
        while killings.kills < count:
            # A repository of its own for each push that gets through: the weights have to travel again.
            name = f"{proxy.host}/pushed{seed}/round{killings.finished}:latest"
            if name not in listed(server):
                server.create(name, gguf, system=f"You are number {killings.finished}.")
            before = listed(server)
            proxy.bytes_per_s = gguf.stat().st_size / TRANSFER_S
            through = killings.transfer_until_killed("/api/push", name)
            proxy.bytes_per_s = 0
            assert_sound(server.models)
            server.start()
            assert listed(server) == before
            killings.finished += through
        assert_success(push(server, name))
        with a_server(folder / "other", proxy.url) as other:
            assert_success(pull(other, name))
            assert listed(other)[name] == listed(server)[name]
            assert_sound(other.models)
    return killings


def _missing(server: Server, model: Model) -> int:
    """Bytes that the next pull has to fetch: blobs that are not there, less what their journals know."""
    absent = [blob for blob in model.blobs if not blob_file(server.models, blob.digest).exists()]
    return sum(blob.size - journalled(server.models, blob.digest) for blob in absent)
