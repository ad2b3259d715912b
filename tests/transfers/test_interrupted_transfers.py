"""Whatever ends a transfer in the middle, nothing half is ever listed, nothing finished is lost, and it goes on."""

from __future__ import annotations

import json
import os
import random
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.registries import Cut, DockerRegistry, Exchange, Layer, Model, Proxy, Stall
from tests.servers import Server
from tests.transfers.killings import Killings, kill_pulls, kill_pushes
from tests.transfers.moving import (
    assert_progress_never_runs_backwards,
    assert_sound,
    assert_success,
    blob_file,
    error_of,
    filler,
    journalled,
    listed,
    pull,
    push,
    say_something,
    statuses,
)

MB = 10**6

pytestmark = pytest.mark.usefixtures("killed_pulls", "killed_pushes")  # begin at once, and end beside the others


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 20))
def test_soak_T04_servers_killed_in_pulls(registry: DockerRegistry, tmp_path: Path, seed: int) -> None:
    assert kill_pulls(registry, tmp_path, 20, seed=seed).kills == 20


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20, 30))
def test_soak_servers_killed_in_pushes(registry: DockerRegistry, tmp_path: Path, tiny_llama: Path, seed: int) -> None:
    assert kill_pushes(registry, tmp_path, tiny_llama, 10, seed=seed).kills == 10


def test_connections_cut_at_a_hundred_offsets_cost_nothing_but_a_pause(
    registry: DockerRegistry, proxy: Proxy, server: Server
) -> None:
    """Twenty-five models, the connection of each cut four times: every try goes on where the last one was cut."""
    chance = random.Random(3)
    models = [filler(f"library/cut{number}:latest", 200_000) for number in range(25)]
    cuts: dict[str, list[int]] = {}
    for model in models:
        model.publish(registry.url)
        cuts[model.layers[0].digest] = sorted(chance.sample(range(200_000), 4))
    done: list[int] = []
    places = {digest: list(offsets) for digest, offsets in cuts.items()}

    def fault(exchange: Exchange) -> Cut | None:
        digest = exchange.path.rpartition("/")[2]
        if exchange.method != "GET" or not places.get(digest):
            return None
        start = int(exchange.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        while places[digest] and places[digest][0] < start:
            places[digest].pop(0)  # the server had less of it than the proxy thought
        if not places[digest]:
            return None
        done.append(offset := places[digest].pop(0))
        return Cut(offset - start)

    proxy.faults = fault
    with ThreadPoolExecutor(25) as pool:
        for lines in pool.map(lambda model: pull(server, f"{proxy.host}/{model.name}"), models):
            assert_success(lines)
            assert_progress_never_runs_backwards(lines)
    assert len(done) == 100
    assert_sound(server.models)
    assert len(listed(server)) == len(models)


def test_one_part_that_stalls_is_asked_for_again_and_holds_up_no_other(
    registry: DockerRegistry, proxy: Proxy, server: Server, tmp_path: Path
) -> None:
    """Three parts of at least 100 MB: one falls silent in the middle, the others arrive meanwhile."""
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.write(b"not only zeros")
        file.truncate(210 * MB)
    model = Model("library/stalled:latest", [Layer(big)])
    model.publish(registry.url)
    stalled: list[Exchange] = []

    def fault(exchange: Exchange) -> Stall | None:
        if stalled or not exchange.headers.get("range", "").startswith("bytes=100000000-"):
            return None
        stalled.append(exchange)
        return Stall(30 * MB)

    proxy.faults = fault
    lines = pull(server, f"{proxy.host}/{model.name}")
    assert_success(lines)
    assert_progress_never_runs_backwards(lines)
    assert len(stalled) == 1
    digest = model.layers[0].digest
    assert proxy.served(digest) - model.layers[0].size <= 2**20, "nothing that had arrived is fetched again"
    shown = {line.get("completed", 0) for line in lines if line.get("digest") == digest}
    assert any(130 * MB <= completed < 210 * MB for completed in shown), "the other parts arrive while one waits"


def test_T04_a_flipped_byte_in_a_stored_blob_is_found_and_only_that_blob_fetched_again(
    registry: DockerRegistry, proxy: Proxy, server: Server, tiny_llama: Path
) -> None:
    template = Layer(b"{{ .Prompt }}", "application/vnd.ollama.image.template")
    model = Model("library/flipped:latest", [Layer(tiny_llama), template])
    model.publish(registry.url)
    name = f"{proxy.host}/{model.name}"
    assert_success(pull(server, name))
    answer = say_something(server, name)
    flip_a_byte(blob_file(server.models, model.layers[0].digest))

    before = {blob.digest: proxy.served(blob.digest) for blob in model.blobs}
    assert_success(pull(server, name))
    fetched = {blob.digest: proxy.served(blob.digest) - before[blob.digest] for blob in model.blobs}
    assert fetched == {blob.digest: blob.size if blob == model.layers[0] else 0 for blob in model.blobs}
    assert say_something(server, name) == answer
    assert_sound(server.models)


def test_T04_verify_finds_damage_and_repair_mends_it(registry: DockerRegistry, proxy: Proxy, server: Server) -> None:
    model = filler("library/verified:latest", 3 * MB, 2 * MB, 1 * MB)
    model.publish(registry.url)
    name = f"{proxy.host}/{model.name}"
    assert_success(pull(server, name))
    sound = server.post("/api/verify", {"model": name}).lines
    assert_success(sound)
    assert_progress_never_runs_backwards(sound)
    assert {line["digest"] for line in sound if "digest" in line} == {blob.digest for blob in model.blobs}

    damaged, whole, missing = model.layers
    rot(blob_file(server.models, damaged.digest))
    blob_file(server.models, missing.digest).unlink()
    told = server.post("/api/verify", {}).lines
    assert error_of(told) == "2 blobs are damaged: run puna verify --repair"
    assert any(status.startswith(f"damaged {damaged.digest}") for status in statuses(told[:-1]))
    assert any(status.startswith(f"missing {missing.digest}") for status in statuses(told[:-1]))

    before = proxy.served("/blobs/")
    mended = server.post("/api/verify", {"model": name, "repair": True}).lines
    assert_success(mended)
    for blob in (damaged, missing):
        assert any(status.startswith(f"repaired {blob.digest}") for status in statuses(mended))
    assert proxy.served("/blobs/") - before == damaged.size + missing.size
    assert proxy.served(whole.digest) == whole.size
    assert_sound(server.models)
    assert_success(server.post("/api/verify", {}).lines)


def test_T04_damage_that_the_registry_cannot_mend_is_said(
    registry: DockerRegistry, server: Server, tiny_llama: Path
) -> None:
    server.create("homemade", tiny_llama)
    digest = json.loads((server.models / "manifests/registry.ollama.ai/library/homemade/latest").read_text())["layers"][
        0
    ]["digest"]
    flip_a_byte(blob_file(server.models, digest))
    text = error_of(server.post("/api/verify", {"model": "homemade", "repair": True}).lines)
    assert "could not be repaired" in text


def test_a_push_that_is_cut_starts_anew_and_arrives(
    registry: DockerRegistry, proxy: Proxy, server: Server, tiny_llama: Path
) -> None:
    cuts = iter((0, 5 * MB))

    def fault(exchange: Exchange) -> Cut | None:
        if exchange.method != "PATCH" or (after := next(cuts, None)) is None:
            return None
        return Cut(after, of_request=True)

    proxy.faults = fault
    name = f"{proxy.host}/library/cutpush:latest"
    server.create(name, tiny_llama)
    lines = push(server, name)
    assert_success(lines)
    assert_progress_never_runs_backwards(lines)
    assert next(cuts, None) is None
    there = name.replace(proxy.host, registry.host)
    assert_success(pull(server, there))
    assert listed(server)[there] == listed(server)[name]


def test_a_partial_file_that_was_damaged_meanwhile_is_not_believed(
    registry: DockerRegistry, proxy: Proxy, server: Server
) -> None:
    """The journal says what has arrived, the disk holds something else: the check at the end finds it, all is fetched anew."""
    model = filler("library/rotten:latest", 20 * MB)
    weights = model.layers[0]
    model.publish(registry.url)
    proxy.bytes_per_s = 15 * MB
    name = f"{proxy.host}/{model.name}"
    for line in server.stream("/api/pull", {"model": name}):
        if line.get("completed", 0) > 8 * MB:
            server.kill()
            break
    partial = Path(f"{blob_file(server.models, weights.digest)}-partial")
    assert journalled(server.models, weights.digest) > 0
    flip_a_byte(partial, at=1000)
    proxy.bytes_per_s = 0
    server.start()
    lines = pull(server, name)
    assert_success(lines)
    assert_progress_never_runs_backwards(lines)
    assert_sound(server.models)


def flip_a_byte(path: Path, at: int = 500_000) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def rot(path: Path) -> None:
    """A flipped byte that no time tells of, as disks do it."""
    status = path.stat()
    flip_a_byte(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_T04_a_server_killed_in_a_pull_lists_nothing_half_and_goes_on(killed_pulls: Future[Killings]) -> None:
    assert killed_pulls.result().kills == 12


def test_a_server_killed_in_a_push_loses_nothing(killed_pushes: Future[Killings]) -> None:
    assert killed_pushes.result().kills == 8
