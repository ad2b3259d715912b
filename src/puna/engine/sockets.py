"""Where the runners' sockets live: a folder that only this user may enter (threats T26)."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

from puna.errors import PunaError

_PREFIX = "puna-run-"
_LOCK = "lock"


class SocketFolder:
    """The folder of the settings, or a temporary one that `close` removes.

    A server that was killed leaves its temporary folder behind. Its lock is free then, and the next server's first
    `path` removes it; a process id would not do, because containers share temporary folders.
    """

    def __init__(self, chosen: Path | None) -> None:
        self._chosen = chosen
        self._temporary: Path | None = None
        self._lock: int | None = None

    def path(self) -> Path:
        """Made on first use, with mode 0700. Raises `PunaError` for a chosen folder that others may enter."""
        if self._chosen is not None:
            self._chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self._chosen.stat()
            if status.st_mode & 0o077 or status.st_uid != os.geteuid():  # not ours to change: it may be /tmp
                raise PunaError("PUNA_RUNTIME_DIR must be a folder of this user that nobody else may enter: chmod 700")
            return self._chosen
        if self._temporary is None:
            _sweep(Path(tempfile.gettempdir()))
            self._temporary = Path(tempfile.mkdtemp(prefix=_PREFIX))
            self._lock = os.open(self._temporary / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self._temporary

    def close(self) -> None:
        if self._temporary is not None and self._lock is not None:
            shutil.rmtree(self._temporary)
            os.close(self._lock)
            self._temporary = self._lock = None


def _sweep(root: Path) -> None:
    for folder in root.glob(f"{_PREFIX}*"):
        try:
            status = folder.lstat()
            if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # gone meanwhile, or another server is just making it
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass  # its server lives
        finally:
            os.close(lock)
