"""Nothing is lost and nobody waits for ever: killed runners, killed servers, clients that leave, many streams at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.api.conftest import SMOL
from tests.servers import Server

LONG = {"model": "M", "prompt": "grass", "options": {"num_predict": 4000}}
SHORT = {"model": "M", "prompt": "grass", "stream": False, "options": {"num_predict": 3}}


def kill_a_runner_in_mid_stream(server: Server) -> None:
    lines = server.stream("/api/generate", LONG)
    first = next(lines)
    assert "response" in first
    for runner in server.runners():
        runner.kill()
    last = list(lines)[-1]
    assert list(last) == ["error"], last
    assert server.post("/api/generate", SHORT).json["done"] is True


def lives(process: psutil.Process) -> bool:
    """A dead one may wait for init to take note of it, which has its own pace."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_the_server(server: Server) -> None:
    lines = server.stream("/api/generate", LONG)
    next(lines)
    runners = server.runners()
    assert runners
    server.kill()
    lines.close()
    deadline = time.monotonic() + 5
    while any(map(lives, runners)):
        assert time.monotonic() < deadline, "a runner outlived its server by more than 5 s"
        time.sleep(0.01)
    server.start()
    assert {"M:latest", SMOL} <= {model["name"] for model in server.get("/api/tags").json["models"]}


@pytest.fixture
def crashing(tmp_path: Path, tiny_llama: Path) -> Any:
    with Server(tmp_path / "models", tmp_path / "home") as running:
        running.create("M", tiny_llama)
        yield running


def test_a_killed_runner_is_an_error_line_and_a_new_runner(crashing: Server) -> None:
    for _ in range(20):
        kill_a_runner_in_mid_stream(crashing)


@pytest.mark.timeout(300)
def test_a_killed_server_leaves_no_runner_and_loses_no_model(crashing: Server) -> None:
    for _ in range(20):
        kill_the_server(crashing)
    assert crashing.post("/api/generate", SHORT).json["done"] is True


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_300_killed_runners(crashing: Server) -> None:
    for _ in range(300):
        kill_a_runner_in_mid_stream(crashing)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_300_killed_servers(crashing: Server) -> None:
    for _ in range(300):
        kill_the_server(crashing)
    assert crashing.post("/api/generate", SHORT).json["done"] is True


def test_eight_streams_progress_together(server: Server) -> None:
    """Each of eight streams gets tokens while all the others still run: no stream waits for another's end."""
    with Server(server.models, server.home.parent / "eight", {"PUNA_NUM_PARALLEL": "8"}) as wide:
        wide.post("/api/generate", {"model": SMOL})
        spans: list[tuple[float, float, int]] = []

        def one(number: int) -> None:
            body = {
                "model": SMOL,
                "prompt": f"Tell me story {number}.",
                "options": {"num_predict": 48, "temperature": 0},
            }
            times = [time.monotonic() for _ in wide.stream("/api/generate", body)]
            spans.append((times[0], times[-1], len(times)))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(spans) == 8
    assert all(count > 10 for *_, count in spans)
    assert max(start for start, *_ in spans) < min(end for _, end, _ in spans)


def test_T23_clients_that_leave_free_their_slots(server: Server) -> None:
    server.post("/api/generate", {"model": "M"})
    for _ in range(12):
        lines = server.stream("/api/generate", LONG)
        next(lines)
        lines.close()
    deadline = time.monotonic() + 2
    while server.get("/api/status").json["puna"]["requests_active"]:
        assert time.monotonic() < deadline, "a slot is still taken"
        time.sleep(0.02)
    assert server.post("/api/generate", SHORT).json["done"] is True


def test_a_client_that_leaves_during_a_load_is_forgotten(server: Server) -> None:
    server.post("/api/generate", {"model": SMOL, "keep_alive": 0})
    connection, _ = _ask_without_waiting(server, {"model": SMOL, "prompt": "hi"})
    time.sleep(0.1)
    connection.close()
    assert server.post("/api/generate", SHORT).json["done"] is True


def _ask_without_waiting(server: Server, body: dict[str, Any]) -> tuple[Any, None]:
    import json
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/api/generate", json.dumps(body).encode())
    return connection, None


def test_the_log_has_one_line_per_request_and_no_prompt(server: Server) -> None:
    canary = "canary-7f3a9"
    server.post("/api/generate", {**SHORT, "prompt": canary, "system": canary})
    server.post("/api/chat", {"model": "M", "messages": [{"role": "user", "content": canary}], "stream": False,
                              "options": {"num_predict": 2}})  # fmt: skip
    time.sleep(0.1)
    assert canary not in server.log
    line = next(line for line in reversed(server.log.splitlines()) if "/api/chat" in line)
    for field in (" model=M ", " status=200 ", " output_tokens=2 ", " prompt_tokens=", " ms="):
        assert field in line


def test_sigterm_ends_the_server_and_its_runners(tmp_path: Path, tiny_llama: Path) -> None:
    with Server(tmp_path / "models", tmp_path / "home") as running:
        running.create("M", tiny_llama)
        running.post("/api/generate", SHORT)
        runners = running.runners()
        assert runners
        assert running.stop() == 0
        assert not [runner for runner in runners if runner.is_running()]
        assert "Traceback" not in running.log
