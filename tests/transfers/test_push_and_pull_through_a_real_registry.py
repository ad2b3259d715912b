"""Models go to Debian's `docker-registry` and come back, and what happens when several people want the same one."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.registries import Canary, DockerRegistry, Layer, Model, Proxy
from tests.servers import Server
from tests.transfers.conftest import Start
from tests.transfers.moving import (
    a_server,
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
    runnable,
    say_something,
    statuses,
)

MB = 10**6


@pytest.fixture(scope="module")
def sender(registry: DockerRegistry, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may push and has a model to send, `M`."""
    with a_server(tmp_path_factory.mktemp("sender"), registry.url, push=True) as server:
        server.create("M", tiny_llama, system="You are a llama.", parameters={"temperature": 0.5})
        yield server


def copy(server: Server, source: str, destination: str) -> None:
    assert server.post("/api/copy", {"source": source, "destination": destination}).status == 200


def test_a_pushed_model_is_pulled_by_another_puna_and_answers(
    registry: DockerRegistry, sender: Server, puna: Start
) -> None:
    name = f"{registry.host}/library/shown:latest"
    copy(sender, "M", name)
    pushed = push(sender, name)
    assert_success(pushed)

    receiver = puna(registry.url)
    assert listed(receiver) == {}
    pulled = pull(receiver, name)
    assert_success(pulled)

    assert listed(receiver) == {name: listed(sender)[name]}
    assert say_something(receiver, name) == say_something(sender, name)
    assert_sound(receiver.models)


def test_statuses_come_in_the_order_of_the_contract(registry: DockerRegistry, sender: Server, server: Server) -> None:
    name = f"{registry.host}/library/ordered:latest"
    copy(sender, "M", name)
    pushed = push(sender, name)
    pulled = pull(server, name)
    again = pull(server, name)

    manifest = json.loads((server.models / "manifests" / name.replace(":latest", "/latest")).read_text())
    blobs = [layer["digest"][7:19] for layer in (*manifest["layers"], manifest["config"])]
    assert len(blobs) == 4
    steps = [f"pulling {digest}" for digest in blobs]
    assert statuses(pulled) == ["pulling manifest", *steps, "verifying sha256 digest", "writing manifest", "success"]
    assert statuses(pushed) == [
        "retrieving manifest", *(f"pushing {digest}" for digest in blobs), "pushing manifest", "success",
    ]  # fmt: skip
    assert statuses(again) == ["pulling manifest", *steps, "writing manifest", "success"]
    for lines in (pulled, pushed, again):
        assert_progress_never_runs_backwards(lines)
        last = {line["digest"]: line for line in lines if "digest" in line}
        assert all(line["completed"] == line["total"] for line in last.values())


def test_without_stream_one_object_is_answered(registry: DockerRegistry, sender: Server, server: Server) -> None:
    name = f"{registry.host}/library/single:latest"
    copy(sender, "M", name)
    assert sender.post("/api/push", {"model": name, "stream": False}).json == {"status": "success"}
    assert server.post("/api/pull", {"model": name, "stream": False}).json == {"status": "success"}
    missing = server.post("/api/pull", {"model": f"{registry.host}/library/absent", "stream": False})
    assert (missing.status, missing.json) == (500, {"error": "pull model manifest: file does not exist"})


def test_pushing_again_sends_nothing(proxy: Proxy, server: Server, tiny_llama: Path) -> None:
    name = f"{proxy.host}/library/twice:latest"
    server.create(name, tiny_llama)
    assert_success(push(server, name))
    assert proxy.taken("/blobs/") >= tiny_llama.stat().st_size
    before = len(proxy.exchanges)
    assert_success(push(server, name))
    second = proxy.exchanges[before:]
    assert {exchange.method for exchange in second if "/blobs/" in exchange.path} == {"HEAD"}
    assert sum(exchange.sent for exchange in second if "/blobs/" in exchange.path) == 0


def test_layers_of_a_base_model_are_mounted_not_sent(proxy: Proxy, server: Server, tiny_llama: Path) -> None:
    base, derived = f"{proxy.host}/library/mountbase:latest", f"{proxy.host}/library/mountderived:latest"
    server.create(base, tiny_llama)
    assert_success(push(server, base))
    made = server.post("/api/create", {"model": derived, "from": base, "system": "Be brief.", "stream": False})
    assert made.json == {"status": "success"}
    before = len(proxy.exchanges)
    assert_success(push(server, derived))
    second = proxy.exchanges[before:]
    mounts = [exchange.status for exchange in second if exchange.method == "POST" and "mount=" in exchange.target]
    assert 201 in mounts
    assert sum(exchange.sent for exchange in second) < 100_000, "only the new system text and the config travel"
    for name in (base, derived):
        assert server.request("DELETE", "/api/delete", {"model": name}).status == 200
    assert_success(pull(server, derived))


def test_three_pulls_at_once_transfer_it_once(
    registry: DockerRegistry, proxy: Proxy, server: Server, tiny_llama: Path
) -> None:
    model = runnable("library/thrice:latest", tiny_llama)
    model.publish(registry.url)
    proxy.bytes_per_s = 15 * MB  # about a second, so that all three meet
    name = f"{proxy.host}/{model.name}"
    with ThreadPoolExecutor(3) as pool:
        pulls = list(pool.map(lambda _: pull(server, name), range(3)))
    weights = model.layers[0]
    for lines in pulls:
        assert_success(lines)
        assert_progress_never_runs_backwards(lines)
        moving = [line for line in lines if line.get("digest") == weights.digest]
        assert len(moving) > 3, "everybody sees the progress"
    assert proxy.served("/blobs/") == model.size
    assert say_something(server, name)


def test_two_models_that_share_a_blob_transfer_it_once(registry: DockerRegistry, proxy: Proxy, server: Server) -> None:
    shared = filler("library/shared:latest", 8 * MB).layers[0]
    models = [Model(f"library/sharing{number}:latest", [shared]) for number in range(2)]
    for model in models:
        model.publish(registry.url)
    proxy.bytes_per_s = 8 * MB
    with ThreadPoolExecutor(2) as pool:
        for lines in pool.map(lambda model: pull(server, f"{proxy.host}/{model.name}"), models):
            assert_success(lines)
    assert proxy.served(shared.digest) == shared.size
    assert_sound(server.models)


def test_a_client_that_leaves_does_not_stop_the_others(registry: DockerRegistry, proxy: Proxy, server: Server) -> None:
    model = filler("library/left:latest", 12 * MB)
    model.publish(registry.url)
    proxy.bytes_per_s = 10 * MB
    name = f"{proxy.host}/{model.name}"
    with ThreadPoolExecutor(1) as pool, closing(server.stream("/api/pull", {"model": name})) as first:
        wait_for_bytes(first)
        staying = pool.submit(pull, server, name)
        time.sleep(0.2)
        first.close()
        lines = staying.result()
    assert_success(lines)
    assert_progress_never_runs_backwards(lines)
    assert proxy.served(model.layers[0].digest) == model.layers[0].size


def test_the_last_client_that_leaves_stops_the_transfer_and_its_parts_are_kept(
    registry: DockerRegistry, proxy: Proxy, server: Server
) -> None:
    model = filler("library/alone:latest", 20 * MB)
    model.publish(registry.url)
    proxy.bytes_per_s = 10 * MB
    weights, name = model.layers[0], f"{proxy.host}/{model.name}"
    with closing(server.stream("/api/pull", {"model": name})) as lines:
        seen = wait_for_bytes(lines, 5 * MB)
    served = settled(lambda: proxy.served(weights.digest))
    assert seen <= served < weights.size, "the transfer has stopped"
    assert listed(server) == {}
    kept = journalled(server.models, weights.digest)
    assert seen <= kept <= served

    before = proxy.served(weights.digest)
    again = pull(server, name)
    assert_success(again)
    assert proxy.served(weights.digest) - before == weights.size - kept
    assert next(line["completed"] for line in again if "completed" in line) >= kept, "it goes on where it stopped"
    assert_progress_never_runs_backwards(again)
    assert_sound(server.models)


def test_a_pull_over_an_existing_name_removes_what_nobody_needs(registry: DockerRegistry, server: Server) -> None:
    name = "library/moving:latest"
    kept = Layer(b"a licence that both have", "application/vnd.ollama.image.license")
    old, new = (Model(name, [*filler(f"{name}{age}", 1 * MB).layers, kept]) for age in ("old", "new"))
    old.publish(registry.url)
    assert_success(pull(server, f"{registry.host}/{name}"))
    new.publish(registry.url)
    lines = pull(server, f"{registry.host}/{name}")
    assert statuses(lines)[-3:] == ["writing manifest", "removing unused layers", "success"]
    assert not blob_file(server.models, old.layers[0].digest).exists()
    assert blob_file(server.models, kept.digest).exists()
    assert listed(server) == {f"{registry.host}/{name}": hashlib.sha256(new.manifest).hexdigest()}
    assert_sound(server.models)


def test_a_model_is_created_from_one_that_only_the_registry_has(
    registry: DockerRegistry, server: Server, tiny_llama: Path
) -> None:
    runnable("library/faraway:latest", tiny_llama).publish(registry.url)
    answer = server.post(
        "/api/create", {"model": "mine", "from": f"{registry.host}/library/faraway", "system": "Be brief."}
    )
    assert_success(answer.lines)
    assert "pulling manifest" in statuses(answer.lines)
    assert "mine:latest" in listed(server)
    assert server.post("/api/show", {"model": "mine"}).json["system"] == "Be brief."
    assert say_something(server, "mine")


def test_a_missing_model_is_an_error_with_the_text_that_clients_match(registry: DockerRegistry, server: Server) -> None:
    lines = pull(server, f"{registry.host}/library/nosuchmodel")
    assert error_of(lines) == "pull model manifest: file does not exist"


def test_T10_by_default_nothing_is_pushed_anywhere(puna: Start, tiny_llama: Path) -> None:
    with Canary() as canary:
        server = puna(canary.url)  # on the list for pulls only
        server.create("secret", tiny_llama)
        name = f"{canary.host}/library/secret"
        copy(server, "secret", name)
        answer = server.post("/api/push", {"model": name})
        assert answer.status == 403
        assert "PUNA_PUSH_REGISTRIES" in error_of(answer.lines)
        assert canary.connections == 0


def test_T10_a_copy_is_not_pushed_to_an_unlisted_host(registry: DockerRegistry, sender: Server) -> None:
    with Canary() as canary:
        for insecure in (False, True):
            name = f"{canary.host}/library/taken{insecure}".lower()
            copy(sender, "M", name)
            answer = sender.post("/api/push", {"model": name, "insecure": insecure})
            assert answer.status == 403
            assert "PUNA_" in error_of(answer.lines)
        assert canary.connections == 0


def test_T10_a_push_is_logged_with_destination_and_digest(registry: DockerRegistry, sender: Server) -> None:
    name = f"{registry.host}/library/logged:latest"
    copy(sender, "M", name)
    assert_success(push(sender, name))
    told = [line for line in sender.log.splitlines() if name.removesuffix(":latest") in line and "push" in line]
    assert [line for line in told if listed(sender)[name][:12] in line], told
    assert registry.requests()["PUT /v2/library/logged/manifests/latest"] == 1


def test_pulls_keep_to_the_rate_of_the_setting(registry: DockerRegistry, proxy: Proxy, puna: Start) -> None:
    """Two at once share it: 12 MB at 4 MB/s, of which the first second's worth may come at once, need two seconds."""
    models = [filler(f"library/paced{number}:latest", 6 * MB) for number in range(2)]
    for model in models:
        model.publish(registry.url)
    server = puna(proxy.url, PUNA_PULL_RATE="4MB")
    begin = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        for lines in pool.map(lambda model: pull(server, f"{proxy.host}/{model.name}"), models):
            assert_success(lines)
    assert time.monotonic() - begin > 1.9


def wait_for_bytes(lines: Iterator[dict[str, object]], least: int = 1) -> int:
    """Read progress until so many bytes of a blob have arrived."""
    for line in lines:
        completed = line.get("completed", 0)
        assert isinstance(completed, int)
        if completed >= least:
            return completed
    raise AssertionError("the pull ended first")


def settled(value: Callable[[], int]) -> int:
    """What a counter shows once it has stopped."""
    shown, deadline = -1, time.monotonic() + 10
    while time.monotonic() < deadline:
        current = value()
        if current == shown:
            return current
        shown = current
        time.sleep(0.4)
    raise AssertionError("the transfer goes on")
