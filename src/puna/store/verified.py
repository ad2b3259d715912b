"""Which blobs have been hashed, and what their files looked like then (threats T04).

A file with the size, inode and modification time of the record needs no second hashing; any other is hashed again. The
record is an append-only text file beside the blobs, one line each: a torn or lost line costs one hashing, no more.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from puna.errors import StoreError
from puna.names import Digest
from puna.store.files import read_file, write_durably
from puna.store.layout import SCRATCH_PREFIX

log = logging.getLogger(__name__)

_LIMIT = 64 * 2**20  # bytes of the record file
_LINE = re.compile(r"([0-9a-f]{64}) (\d{1,20}) (\d{1,20}) (\d{1,20})", re.ASCII)
_Look = tuple[int, int, int]  # size in bytes, inode, modification time in ns


class Verified:
    """The record of one store. Thread-safe; several processes may append to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._looks: dict[Digest, _Look] | None = None

    def matches(self, digest: Digest, status: os.stat_result) -> bool:
        """Was this very file hashed and found to be `digest`?"""
        with self._lock:
            return self._load().get(digest) == _look(status)

    def record(self, digest: Digest, status: os.stat_result) -> None:
        """Remember that the file with this status hashes to `digest`."""
        look = _look(status)
        with self._lock:
            looks = self._load()
            if looks.get(digest) == look:
                return
            looks[digest] = look
            try:
                with self._path.open("ab") as file:
                    file.write(_line(digest, look))
            except OSError as error:  # a store that may only be read: the record lives as long as this process
                log.debug("the record of verified blobs cannot be written: %s", error.strerror)

    def forget(self, digest: Digest) -> None:
        with self._lock:
            self._load().pop(digest, None)

    def compact(self, exists: Callable[[Digest], bool]) -> None:
        """Rewrite the record with one line for each blob that still exists, where the store may be written."""
        with self._lock:
            self._looks = {digest: look for digest, look in self._load().items() if exists(digest)}
            data = b"".join(_line(digest, look) for digest, look in self._looks.items())
            if not data and not self._path.exists():
                return
            try:
                write_durably(self._path, data, self._path.parent, SCRATCH_PREFIX)
            except OSError as error:
                log.debug("the record of verified blobs cannot be written: %s", error.strerror)

    def _load(self) -> dict[Digest, _Look]:
        if self._looks is None:
            try:
                lines = read_file(self._path, _LIMIT).splitlines()
            except (OSError, StoreError):  # no record yet, or none that can be used: everything is hashed once more
                lines = []
            self._looks = dict(filter(None, map(_parse, lines)))
        return self._looks


def _look(status: os.stat_result) -> _Look:
    return (status.st_size, status.st_ino, status.st_mtime_ns)


def _line(digest: Digest, look: _Look) -> bytes:
    return f"{digest.hex} {look[0]} {look[1]} {look[2]}\n".encode()


def _parse(line: bytes) -> tuple[Digest, _Look] | None:
    found = _LINE.fullmatch(line.decode("ascii", errors="replace"))
    return (Digest(found[1]), (int(found[2]), int(found[3]), int(found[4]))) if found else None
