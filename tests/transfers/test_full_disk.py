"""A disk without room ends a pull in one line and harms nothing else. The store lies on a small tmpfs that only the
server sees, in a mount namespace of its own: as root, or in a user namespace where the system allows those.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.registries import DockerRegistry, Proxy
from tests.servers import Server
from tests.transfers.moving import (
    a_server,
    assert_progress_never_runs_backwards,
    assert_sound,
    assert_success,
    error_of,
    filler,
    journalled,
    listed,
    pull,
    runnable,
    say_something,
)

MB = 10**6
DISK = 64 * MB
MOUNT = 'mount -t tmpfs -o "size=$1" puna-test "$2" && shift 2 && exec "$@"'


@pytest.fixture
def small(proxy: Proxy, tmp_path: Path) -> Iterator[Callable[[], tuple[Server, Path]]]:
    """Starts a server whose store is a disk of 64 MB; gives the server and the disk as it is seen from here."""
    with ExitStack() as stack:

        def start() -> tuple[Server, Path]:
            server = a_server(tmp_path / "small", proxy.url)
            server.models.mkdir()
            server = replace(server, wrapper=(*unshare(), "sh", "-c", MOUNT, "sh", str(DISK), str(server.models)))
            stack.enter_context(server)
            assert server.process is not None
            disk = Path(f"/proc/{server.process.pid}/root{server.models}")
            assert os.statvfs(disk).f_blocks * os.statvfs(disk).f_frsize <= DISK + 4096
            return server, disk

        yield start


def unshare() -> tuple[str, ...]:
    """How a program gets mounts of its own here."""
    for flags in ("-m", "-Urm"):
        command = ("unshare", flags)
        test = [*command, "mount", "-t", "tmpfs", "puna-test", "/mnt"]
        if subprocess.run(test, capture_output=True, check=False).returncode == 0:
            return command
    pytest.fail("this test needs root, or `unshare -Urm` (Debian's util-linux and user namespaces)", pytrace=False)


def fill(disk: Path, leave: int = 0) -> Path:
    """A file that takes what is free but for `leave` bytes."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):  # full
        while os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize > leave:
            file.write(bytes(65536))
    return ballast


def test_T08_too_little_space_is_said_before_the_first_byte(
    registry: DockerRegistry, proxy: Proxy, small: Callable[[], tuple[Server, Path]]
) -> None:
    model = filler("library/toobig:latest", 50 * MB, 40 * MB)
    model.publish(registry.url)
    server, disk = small()
    text = error_of(pull(server, f"{proxy.host}/{model.name}"))
    assert text.startswith("not enough disk space")
    assert proxy.served("/blobs/") == 0
    assert list(disk.glob("blobs/*")) == []
    assert listed(server) == {}


def test_T23_on_a_disk_at_99_percent_a_pull_fails_cleanly_and_chat_works(
    registry: DockerRegistry, proxy: Proxy, small: Callable[[], tuple[Server, Path]], tiny_llama: Path
) -> None:
    model = filler("library/little:latest", 100_000)
    model.publish(registry.url)
    server, disk = small()
    server.create("M", tiny_llama)
    fill(disk, leave=DISK // 100)
    assert error_of(pull(server, f"{proxy.host}/{model.name}")).startswith("not enough disk space")
    assert proxy.served("/blobs/") == 0
    assert say_something(server, "M")
    assert set(listed(server)) == {"M:latest"}


def test_a_disk_that_fills_up_in_the_middle_ends_in_one_line_and_the_pull_goes_on_when_there_is_room(
    registry: DockerRegistry, proxy: Proxy, small: Callable[[], tuple[Server, Path]], tiny_llama: Path
) -> None:
    model = filler("library/filling:latest", 30 * MB)
    for each in (model, runnable("library/chatty:latest", tiny_llama)):
        each.publish(registry.url)
    server, disk = small()
    chatty, name = (f"{proxy.host}/library/{model}:latest" for model in ("chatty", "filling"))
    assert_success(pull(server, chatty))

    proxy.bytes_per_s = 20 * MB
    lines, ballast = [], None
    for line in server.stream("/api/pull", {"model": name}):
        lines.append(line)
        if ballast is None and line.get("completed", 0) > 8 * MB and line["total"] == 30 * MB:
            ballast = fill(disk)
    assert ballast is not None
    text = error_of(lines)
    assert "disk" in text or "space" in text
    assert str(server.models) not in text
    assert_progress_never_runs_backwards(lines[:-1])
    assert set(listed(server)) == {chatty}
    assert say_something(server, chatty)
    assert_sound(disk)

    proxy.bytes_per_s = 0
    kept = journalled(disk, model.layers[0].digest)
    assert kept > 4 * MB, "what had arrived is kept"
    ballast.unlink()
    before = proxy.served(model.layers[0].digest)
    assert_success(pull(server, name))
    assert proxy.served(model.layers[0].digest) - before == model.layers[0].size - kept
    assert_sound(disk)
