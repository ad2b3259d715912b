"""Debian's PostgreSQL as a child process on a Unix socket: a real server, and no service of the system is used."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

START_S = 30
_USER = "postgres"  # of Debian's package; the server refuses to run as root
_QUICK = ("fsync=off", "listen_addresses=", "max_connections=20", "shared_buffers=16MB")


class Postgres:
    """`with Postgres() as server:`; each `database()` is empty."""

    def __init__(self) -> None:
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0

    @staticmethod
    def missing() -> str | None:
        """What to say where the program is not installed."""
        return None if _programs() else "postgres is not installed; Debian and Ubuntu: apt install postgresql"

    def database(self) -> str:
        """The URL of a new database."""
        self._made += 1
        name = f"puna{self._made}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://{_USER}@/{name}?host={self._folder}"

    def __enter__(self) -> Self:
        if (missing := self.missing()) is not None:
            raise RuntimeError(missing)
        programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="puna-pg-"))  # short: a socket's path may have 107 bytes
        data = self._folder / "data"
        if os.geteuid() == 0:
            shutil.chown(self._folder, _USER)
        made = self._start(programs / "initdb", "-D", data, "-U", _USER, "-A", "trust", "--no-sync", "-E", "UTF8")
        assert made.wait(START_S) == 0, (self._folder / "log").read_text()
        settings = [word for setting in _QUICK for word in ("-c", setting)]
        self._process = self._start(programs / "postgres", "-D", data, "-k", self._folder, *settings)
        ready = [programs / "pg_isready", "-h", self._folder, "-t", str(START_S), "-q"]
        while subprocess.run(ready, check=False).returncode != 0:
            assert self._process.poll() is None, (self._folder / "log").read_text()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()  # "smart": would wait for clients
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _address(self, database: str) -> str:
        return f"host={self._folder} user={_USER} dbname={database}"

    def _start(self, program: Path, *words: str | Path) -> subprocess.Popen[bytes]:
        owner = {"user": _USER, "group": _USER, "extra_groups": []} if os.geteuid() == 0 else {}
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [program, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, **owner
            )


def _programs() -> Path | None:
    """Debian keeps each version's programs in a folder of its own, off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = folders[-1] if folders else Path(shutil.which("initdb") or "/nowhere/x").parent
    return found if (found / "postgres").exists() else None
