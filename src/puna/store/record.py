"""What the store has learnt about digests, one append-only text file per kind of knowledge.

A line is `<64 hex> <value>`, the newest line of a digest counts, and `-` as value takes back what was said before. A
torn or damaged line is passed over: it costs that one piece of knowledge.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from puna.errors import StoreError
from puna.names import Digest
from puna.store.files import read_file, write_durably
from puna.store.layout import SCRATCH_PREFIX

log = logging.getLogger(__name__)

V = TypeVar("V")

_LIMIT = 64 * 2**20  # bytes of the file
_LINE = re.compile(r"([0-9a-f]{64}) (\S|\S.*\S)", re.ASCII)
_TORN = b" \n"  # ends what a power cut left of a line, so that the rest of it is never taken for a whole one
_NOTHING = "-"


class Record(Generic[V]):
    """The values of one file. Thread-safe; several processes may append, each sees the others' lines when it starts.

    `show` writes a value as printable ASCII without line breaks, `read` is its reverse and gives None for other text.
    With `durable` a value that `set` took survives a power cut.
    """

    def __init__(
        self, path: Path, show: Callable[[V], str], read: Callable[[str], V | None], *, durable: bool = False
    ) -> None:
        self._path = path
        self._show = show
        self._read = read
        self._durable = durable
        self._lock = threading.Lock()
        self._values: dict[Digest, V] | None = None

    def get(self, digest: Digest) -> V | None:
        with self._lock:
            return self._load().get(digest)

    def set(self, digest: Digest, value: V) -> None:
        """Remember the value, in memory even when the file cannot be written. Raises `OSError` then."""
        with self._lock:
            values = self._load()
            if values.get(digest) != value:
                values[digest] = value
                self._append(digest, self._show(value))

    def forget(self, digest: Digest) -> None:
        """Forget the value, in memory even when the file cannot be written. Raises `OSError` then."""
        with self._lock:
            if self._load().pop(digest, None) is not None:
                self._append(digest, _NOTHING)

    def compact(self, wanted: Callable[[Digest], bool]) -> None:
        """Rewrite the file with one line for each wanted digest, where that changes anything and may be done."""
        with self._lock:
            self._values = {digest: value for digest, value in self._load().items() if wanted(digest)}
            data = b"".join(_line(digest, self._show(value)) for digest, value in self._values.items())
            if data == self._raw():
                return
            try:
                write_durably(self._path, data, self._path.parent, SCRATCH_PREFIX)
            except OSError as error:  # a store that may only be read
                log.debug("a record of the store cannot be compacted: %s", error.strerror)

    def _load(self) -> dict[Digest, V]:
        if self._values is None:
            self._values = {}
            *lines, _torn = self._raw().decode("ascii", errors="replace").split("\n")
            for line in lines:
                if found := _LINE.fullmatch(line):
                    self._learn(Digest(found[1]), found[2], self._values)
        return self._values

    def _learn(self, digest: Digest, text: str, values: dict[Digest, V]) -> None:
        value = self._read(text)
        if value is not None:
            values[digest] = value
        elif text == _NOTHING:
            values.pop(digest, None)

    def _raw(self) -> bytes:
        try:
            return read_file(self._path, _LIMIT)
        except (OSError, StoreError):  # no record yet, or none that can be used: the store does without
            return b""

    def _append(self, digest: Digest, text: str) -> None:
        with self._path.open("a+b") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            torn = file.read(1) not in (b"", b"\n")
            file.write(_TORN * torn + _line(digest, text))
            if self._durable:
                file.flush()
                os.fsync(file.fileno())


def _line(digest: Digest, text: str) -> bytes:
    return f"{digest.hex} {text}\n".encode("ascii")
