"""SHA-256 of open files, read through one buffer; other threads run meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from io import FileIO
from typing import TypeVar

from puna.errors import Cancelled
from puna.names import Digest

T = TypeVar("T")

_CHUNK = 2**20  # bytes between two steps: about a millisecond


def hash_steps(file: FileIO) -> Generator[int, None, Digest]:
    """Hash the file from its start to its end; yields the bytes read so far, returns the digest. Raises `OSError`."""
    state = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    position = file.seek(0)
    while count := file.readinto(buffer):
        state.update(buffer[:count])
        position += count
        yield position
    return Digest(state.hexdigest())


def hash_file(file: FileIO, stop: Callable[[], bool] = lambda: False) -> Digest:
    """The digest of the file. Raises `Cancelled` soon after `stop()` turns true, and `OSError`."""
    return drain(hash_steps(file), stop)


def drain(steps: Generator[int, None, T], stop: Callable[[], bool] = lambda: False) -> T:
    """Run `steps` to the end; what they return. Raises `Cancelled` at the first step after `stop()` turned true."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if stop():
            raise Cancelled
