"""One real registry and one server for the whole room, servers as a test wants them, and long work beside the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.registries import Canary, DockerRegistry, HostileRegistry, Proxy
from tests.servers import Server
from tests.transfers.hostilepulls import HostilePulls
from tests.transfers.killings import Killings, kill_pulls, kill_pushes
from tests.transfers.moving import a_server, listed

Start = Callable[..., Server]

HALF_A_HELLO = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"
"""The beginning of a TLS server's first message."""


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    folder = tmp_path_factory.mktemp("registry")
    if (missing := DockerRegistry.missing()) is not None:
        pytest.fail(missing, pytrace=False)
    with DockerRegistry(folder) as running:
        yield running


@pytest.fixture(scope="session")
def registry(docker_registry: DockerRegistry) -> DockerRegistry:
    """Some modules have another kind of registry under this name."""
    return docker_registry


@pytest.fixture(scope="session")
def line(docker_registry: DockerRegistry) -> Iterator[Proxy]:
    with Proxy(docker_registry.port) as between:
        yield between


@pytest.fixture
def proxy(line: Proxy) -> Iterator[Proxy]:
    """A way to the registry that counts and, when a test wants it, is slow or breaks."""
    line.exchanges.clear()
    yield line
    line.latency_s = line.bytes_per_s = 0
    line.faults = lambda exchange: None


@pytest.fixture(scope="session")
def host(docker_registry: DockerRegistry, line: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with a_server(tmp_path_factory.mktemp("host"), docker_registry.url, line.url, push=True) as server:
        yield server


@pytest.fixture
def server(host: Server) -> Iterator[Server]:
    """A server without models that may pull from and push to the registry, directly and by the proxy."""
    yield host
    for name in listed(host):
        assert host.request("DELETE", "/api/delete", {"model": name}).status == 200


@pytest.fixture
def puna(tmp_path: Path) -> Iterator[Start]:
    """`puna(origin, …)` starts a server with an empty store that may pull from there; `push=True`: push there as well."""
    with ExitStack() as stack:

        def start(*origins: str, name: str = "puna", push: bool = False, **more: str) -> Server:
            return stack.enter_context(a_server(tmp_path / name, *origins, push=push, **more))

        yield start


# Work that takes most of its time in waiting runs beside the other tests of a module; its tests come for the results.


@pytest.fixture(scope="session")
def hostile_pulls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostilePulls]:
    folder = tmp_path_factory.mktemp("hostile")
    with (
        HostileRegistry() as registry,
        Canary(HALF_A_HELLO) as broken,
        a_server(folder, registry.url, broken.host) as server,
    ):
        pulls = HostilePulls(server, registry, broken)
        yield pulls
        pulls.wait()


@pytest.fixture(scope="session")
def killed_pulls(
    docker_registry: DockerRegistry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[Killings]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(kill_pulls, docker_registry, tmp_path_factory.mktemp("pulls"), 12, seed=1)


@pytest.fixture(scope="session")
def killed_pushes(
    docker_registry: DockerRegistry, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[Killings]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(kill_pushes, docker_registry, tmp_path_factory.mktemp("pushes"), tiny_llama, 8, seed=2)
