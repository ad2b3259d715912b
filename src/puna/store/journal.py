"""How far the parts of a download are: one small JSON file per part, in the reference's form (ollama-store §3.3).

Ollama and Puna go on with each other's downloads. What is found may come from anyone, so it is read leniently and never
trusted: parts that do not tile the blob count as no journal at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

from puna.errors import StoreError
from puna.names import Digest
from puna.store.files import open_private, write_at
from puna.store.layout import Layout, partial_unit

MAX_PARTS = 4096
# Bytes of an entry, filled up with blanks. All have one length so that an entry is renewed in place by a single write
# that needs no new block: no kill tears it, and it succeeds on a full disk.
_ENTRY = 256


@dataclass(slots=True)
class Part:
    """One range of a blob on its way in; the first `completed` bytes of it are in the file."""

    number: int
    offset: int  # bytes
    size: int
    completed: int = 0

    @property
    def done(self) -> bool:
        return self.completed == self.size

    @property
    def position(self) -> int:
        """Where its next byte goes."""
        return self.offset + self.completed

    @property
    def stop(self) -> int:
        """The first byte after it."""
        return self.offset + self.size


class Journal:
    """The entries of one blob. Everything here raises `OSError` or `StoreError` when the disk fails."""

    def __init__(self, layout: Layout, digest: Digest) -> None:
        self._layout = layout
        self._digest = digest

    def read(self, size: int) -> list[Part]:
        """The parts by their offset if all entries are readable and tile [0, size), else none."""
        paths = self._paths()
        if len(paths) > MAX_PARTS:
            return []
        parts = [self._entry(path) for path in paths]
        known = sorted((part for part in parts if part is not None), key=lambda part: part.offset)
        return known if len(known) == len(parts) and tile(known, size) else []

    def write(self, part: Part) -> None:
        """Renew the entry of this part in place."""
        values = {"N": part.number, "Offset": part.offset, "Size": part.size, "Completed": part.completed}
        entry = orjson.dumps(values).ljust(_ENTRY - 1) + b"\n"
        with open_private(self._layout.journal(self._digest, part.number), os.O_WRONLY | os.O_CREAT) as file:
            write_at(file, entry, 0)

    def clear(self) -> None:
        for path in self._paths():
            path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        """The files of this journal, of a link the link."""
        unit = self._layout.partial(self._digest).name
        with os.scandir(self._layout.blobs) as entries:
            names = [entry.name for entry in entries if entry.name != unit and partial_unit(entry.name) == unit]
        return [self._layout.blobs / name for name in names]

    def _entry(self, path: Path) -> Part | None:
        """None for anything but a small regular file with the entry that its name promises."""
        try:
            with open_private(path, os.O_RDONLY) as file:
                data = file.read(_ENTRY + 1)
            document = orjson.loads(data) if len(data) <= _ENTRY else None
        except (OSError, StoreError, orjson.JSONDecodeError):
            return None
        match document:
            case {"N": int(number), "Offset": int(offset), "Size": int(size), "Completed": int(completed)}:
                named = self._layout.journal(self._digest, number)
                return Part(number, offset, size, completed) if path == named else None
        return None


def tile(parts: Iterable[Part], size: int) -> bool:
    """Do these parts, in this order, cover each byte of [0, size) once, and is what they claim possible?"""
    end = 0
    for part in parts:
        if part.offset != end or not 0 <= part.completed <= part.size or part.size == 0:
            return False
        end = part.stop
    return end == size
