"""Which blobs have been hashed, and what their files looked like then (threats T04).

A file with the size, inode and modification time of the record needs no second hashing; any other is hashed again. A
lost line costs one hashing, no more.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from puna.names import Digest
from puna.store.record import Record

log = logging.getLogger(__name__)

_VALUE = re.compile(r"(\d{1,20}) (\d{1,20}) (\d{1,20})", re.ASCII)
_Look = tuple[int, int, int]  # size in bytes, inode, modification time in ns


class Verified:
    """The record of one store. Thread-safe. In a store that may only be read it lives as long as this process."""

    def __init__(self, path: Path) -> None:
        self._looks = Record(path, _show, _read)

    def matches(self, digest: Digest, status: os.stat_result) -> bool:
        """Was this very file hashed and found to be `digest`?"""
        return self._looks.get(digest) == _look(status)

    def record(self, digest: Digest, status: os.stat_result) -> None:
        """Remember that the file with this status hashes to `digest`."""
        with _best_effort():
            self._looks.set(digest, _look(status))

    def forget(self, digest: Digest) -> None:
        with _best_effort():
            self._looks.forget(digest)

    def compact(self, exists: Callable[[Digest], bool]) -> None:
        """Rewrite the record with one line for each blob that still exists, where the store may be written."""
        self._looks.compact(exists)


@contextmanager
def _best_effort() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.debug("the record of verified blobs cannot be written: %s", error.strerror)


def _look(status: os.stat_result) -> _Look:
    return (status.st_size, status.st_ino, status.st_mtime_ns)


def _show(look: _Look) -> str:
    return f"{look[0]} {look[1]} {look[2]}"


def _read(text: str) -> _Look | None:
    found = _VALUE.fullmatch(text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None
