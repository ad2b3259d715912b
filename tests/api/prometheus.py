"""Debian's `prometheus` as a child process that scrapes one server, and its `promtool`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.servers import free_port

PACKAGE = "prometheus"
START_S = 30


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`; both are in one package."""
    path = shutil.which(name)
    assert path, f"{name} is not installed; Debian and Ubuntu: apt install {PACKAGE}"
    return path


@dataclass
class Prometheus:
    """`with Prometheus(folder, target, key):` keeps all it writes in `folder`; no service of the system is used."""

    folder: Path
    target: str
    key: str
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Prometheus:
        self.port = free_port()
        scrape = {
            "job_name": "puna",
            "scrape_interval": "500ms",
            "scrape_timeout": "500ms",
            "static_configs": [{"targets": [self.target]}],
            "authorization": {"credentials": self.key},
        }
        config = self.folder / "prometheus.yml"
        config.write_text(json.dumps({"scrape_configs": [scrape]}))  # JSON is YAML
        command = [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        with (self.folder / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(command, env={"PATH": os.environ["PATH"]}, stdout=log, stderr=log)
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def ask(self, query: str) -> dict[str, float]:
        """The values of `query` by the labels of its series, as soon as there are any."""
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := self._asked(f"/api/v1/query?query={quote(query)}"):
                return found
            time.sleep(0.1)
        raise AssertionError(f"no values for {query}:\n{(self.folder / 'prometheus.log').read_text()[-3000:]}")

    def _asked(self, path: str) -> dict[str, float]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            with connection.getresponse() as answer:
                body: Any = json.loads(answer.read()) if answer.status == 200 else {}
        except (OSError, HTTPException):
            return {}
        finally:
            connection.close()
        rows = body.get("data", {}).get("result", [])
        return {",".join(row["metric"].values()): float(row["value"][1]) for row in rows}
