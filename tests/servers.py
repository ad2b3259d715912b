"""A real `puna serve` as a child process on a loopback port of its own, and plain HTTP to talk to it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import psutil

START_S = 60
NO_NETWORK = "http://127.0.0.1:9"  # nothing listens there: whatever the machine can reach, a test's server reaches none


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]


@dataclass
class Server:
    """`with Server(models) as server:` starts it and ends it; `kill()` is what a power cut would do."""

    models: Path
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    wrapper: tuple[str, ...] = ()  # a program that sets the stage and then becomes the server (`exec`)
    command: str = "serve"
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def log(self) -> str:
        return (self.home / "server.log").read_text(errors="replace")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.port = self.port or free_port()
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PUNA_HOST": f"127.0.0.1:{self.port}",
            "PUNA_MODELS": str(self.models),
            "HTTPS_PROXY": NO_NETWORK,
            **self.environment,
        }
        with (self.home / "server.log").open("ab") as log:
            command = [*self.wrapper, sys.executable, "-m", "puna.cli", self.command, *self.arguments]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log}")
            try:
                if self.get("/").status in (200, 403):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"the server did not answer in {START_S} s:\n{self.log}")

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"the server did not stop:\n{self.log[-3000:]}") from None
        return self.process.returncode

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def runners(self) -> list[psutil.Process]:
        """The engine processes that this server started."""
        assert self.process is not None
        return [child for child in psutil.Process(self.process.pid).children(recursive=True) if child.is_running()]

    def lives(self, model: str) -> tuple[int, list[str]]:
        """Equal as long as no runner ended without being told to and `model` was not loaded again.

        Runners of other models may make room meanwhile, so processes say less.
        """
        loads = f'puna_load_seconds_count{{model="{model}:latest"}}'
        lines = self.get("/metrics").body.decode().splitlines()
        return self.log.count("left by itself"), [line for line in lines if line.startswith(loads)]

    def unload(self) -> None:
        """Every model, whoever loaded it: those of equal weights share a runner, under the name that came first."""
        deadline = time.monotonic() + 15
        while loaded := self.get("/api/ps").json["models"]:
            assert time.monotonic() < deadline, loaded
            for row in loaded:
                self.post("/api/generate", {"model": row["name"], "keep_alive": 0})
            time.sleep(0.02)

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: object, **headers: str) -> Answer:
        return self.request("POST", path, body, headers=headers)

    def request(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection, response = self.open(method, path, body, headers=headers)
        try:
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def open(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[HTTPConnection, HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=100)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, dict(headers or {}))
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def stream(self, path: str, body: object) -> Generator[Any, None, None]:
        """The lines of a streamed answer as they come. Closing the iterator hangs up."""
        connection, response = self.open("POST", path, body)
        try:
            assert response.status == 200, response.read()
            while line := response.readline():
                yield json.loads(line)
        finally:
            response.close()
            connection.close()

    def upload(self, file: Path, headers: Mapping[str, str] | None = None) -> str:
        """The digest of a file that the server has from now on."""
        data = file.read_bytes()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert self.request("POST", f"/api/blobs/{digest}", data, headers=headers).status in (200, 201)
        return digest

    def create(self, name: str, gguf: Path, *, headers: Mapping[str, str] | None = None, **fields: object) -> None:
        """A model from a GGUF file, as a client does it: blob first, then create."""
        digest = self.upload(gguf, headers)
        body = {"model": name, "files": {gguf.name: digest}, "stream": False, **fields}
        answer = self.request("POST", "/api/create", body, headers=headers)
        assert answer.json == {"status": "success"}, answer.body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
