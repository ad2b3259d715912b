"""Debian's `docker-registry` (the CNCF registry) as a child process: real pushes and pulls, no stand-in."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAM = "docker-registry"
START_S = 20
ACCESS = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d+) (?P<size>\d+)')


class DockerRegistry:
    """`with DockerRegistry(folder) as registry:`; blobs and logs lie in `folder`, no service of the system is used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def log(self) -> str:
        return (self.folder / "registry.log").read_text(errors="replace")

    @staticmethod
    def missing() -> str | None:
        """What to say where the program is not installed."""
        installed = shutil.which(PROGRAM) is not None
        return None if installed else f"{PROGRAM} is not installed; Debian and Ubuntu: apt install {PROGRAM}"

    def requests(self) -> Counter[str]:
        """How often each `METHOD path` was answered, the path without its query."""
        return Counter(f"{hit['method']} {hit['path'].partition('?')[0]}" for hit in ACCESS.finditer(self.log))

    def blob(self, digest: str) -> Path:
        """Where the registry keeps the bytes of a blob."""
        digits = digest.removeprefix("sha256:")
        return self.folder / f"blobs/docker/registry/v2/blobs/sha256/{digits[:2]}/{digits}/data"

    def __enter__(self) -> Self:
        if (missing := self.missing()) is not None:
            raise RuntimeError(missing)
        self.folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "blobs")}, "delete": {"enabled": True}},
            "http": {"addr": self.host, "secret": "one process needs no shared secret"},
        }
        (self.folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
        with (self.folder / "registry.log").open("ab") as log:
            command = [PROGRAM, "serve", str(self.folder / "config.yml")]
            self._process = subprocess.Popen(
                command, cwd=self.folder, env={"PATH": os.environ["PATH"]}, stdout=log, stderr=log
            )
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            probe = HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                probe.request("GET", "/v2/")
                with probe.getresponse() as answer:
                    if answer.status == 200:
                        return
            except (OSError, HTTPException):
                time.sleep(0.02)
            finally:
                probe.close()
        raise RuntimeError(f"docker-registry does not answer:\n{self.log}")

    def _end(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
