"""The arena as part of `puna up`, in front of the packaged model (contract arena K2; threats T19)."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from puna.keys import EVERY_RIGHT, KeyFile
from tests.servers import Server, free_port

KEY = "a-secret-of-the-operator"


def started(folder: Path, **environment: str) -> Server:
    ports = {"PUNA_CODE_HOST": f"127.0.0.1:{free_port()}", "PUNA_ARENA_PORT": "0"}
    return Server(folder / "models", folder / "home", ports | environment, command="up")


def said(server: Server, pattern: str) -> re.Match[str]:
    """What the command says once it is ready."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := re.search(pattern, server.log):
            return found
        time.sleep(0.05)
    raise AssertionError(server.log)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("up"), PUNA_API_KEY=KEY) as running:
        yield running


def test_the_welcome_says_where_the_arena_is_and_the_keys_of_the_runtime_guard_it_too(server: Server) -> None:
    url = said(server, r"Compare models in a browser at (http://127\.0\.0\.1:\d+)\n")[1]
    with urlopen(f"{url}/api/health") as reply:
        assert json.load(reply)["status"] == "healthy"
    body = {
        "message": "Hello!", "extended": True,
        "model_instances": [{"model": "smollm2:135m", "num_predict": 4, "seed": seed} for seed in (1, 2)],
    }  # fmt: skip
    sent = {"Authorization": f"Bearer {KEY}"}
    with urlopen(Request(f"{url}/api/chat", json.dumps(body).encode(), sent)) as reply:
        results = json.load(reply)["results"]
    assert [result["metrics"]["tokens"] for result in results.values()] == [4, 4]
    assert all(result["timings"]["context_used"] > 0 for result in results.values())


def test_K2_it_ends_with_the_others(server: Server) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(20) == 0


def test_T19_where_keys_are_needed_there_is_no_arena_without_a_secret(tmp_path: Path) -> None:
    KeyFile(tmp_path / "keys").create("somebody", EVERY_RIGHT)
    with started(tmp_path, PUNA_KEYS=str(tmp_path / "keys")) as running:
        assert said(running, "Warning: no arena: this server asks for keys, but WEB_CHAT_TOKEN")
        said(running, "Puna runs at ")
        assert "in a browser" not in running.log


def test_T19_a_key_that_is_made_later_closes_an_arena_without_a_secret(tmp_path: Path) -> None:
    with started(tmp_path, PUNA_KEYS=str(tmp_path / "keys")) as running:
        url = said(running, r"Compare models in a browser at (http://127\.0\.0\.1:\d+)\n")[1]
        with urlopen(f"{url}/api/arena/models") as reply:
            assert reply.status == 200
        KeyFile(tmp_path / "keys").create("somebody", EVERY_RIGHT)
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{url}/api/arena/models")
        assert refused.value.code == 403
        assert json.load(refused.value) == {
            "error": "This server asks for keys now: set WEB_CHAT_TOKEN and start it again"
        }
        with urlopen(f"{url}/api/health") as reply:
            assert reply.status == 200


def test_an_address_that_is_taken_is_no_reason_not_to_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started(tmp_path, PUNA_ARENA_PORT=port) as running:
            warning = said(
                running, rf"Warning: no arena: listen tcp 127\.0\.0\.1:{port}: .+; `puna arena` starts it alone"
            )
            assert warning
            said(running, "Puna runs at ")
