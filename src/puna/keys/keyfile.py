"""The file of API keys: `keys.json`, mode 0600, digests only. It is replaced in one step, by one writer at a time.

A reader therefore sees the old keys or the new ones. A file that says anything else than this module writes is refused
as a whole: who may do what is not guessed.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from puna.errors import BadRequest, NotFound, PunaError
from puna.keys.key import Key, Right, checked_id, checked_name, checked_rights, new_key

_NAME = "keys.json"
_ASIDE = "keys.json.new"  # one name is enough: it is written under the lock
_VERSION = 1
_MAX_BYTES = 4 << 20  # 15,000 keys
_DIGEST_BYTES = 32

Stamp = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The keys in `folder`. Every method reads or writes the file itself; nothing is kept between calls."""

    folder: Path

    def stamp(self) -> Stamp | None:
        """Changes whenever the file does; None without a file. One system call. Raises `PunaError`."""
        with _reported("read"):
            try:
                status = (self.folder / _NAME).stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def load(self) -> Sequence[Key]:
        """Every key, in the order in which they were made; none without a file. Raises `PunaError`."""
        with _reported("read"):
            try:
                descriptor = os.open(self.folder / _NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except (FileNotFoundError, NotADirectoryError):
                return ()
            with os.fdopen(descriptor, "rb") as file:
                _check_file(os.fstat(descriptor))
                return _parse(file.read(_MAX_BYTES + 1))

    def create(self, name: str, rights: Iterable[Right]) -> tuple[Key, str]:
        """Add a key. Returns it with its text, which cannot be had again. Raises `PunaError`."""
        key, text = new_key(name, rights)
        with self._locked():
            keys = self.load()
            if any(other.name == name for other in keys):
                raise BadRequest(f'there is a key with the name "{name}" already: the log could not tell them apart')
            self._write([*keys, key])
        return key, text

    def revoke(self, key_id: str) -> Key:
        """Remove a key; servers refuse it from their next request on. Raises `PunaError`."""
        with self._locked():
            keys = self.load()
            found = next((key for key in keys if key.id == key_id), None)
            if found is None:
                raise NotFound(f'there is no key with the id "{key_id}": `puna key list` shows them')
            self._write([key for key in keys if key is not found])
        return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the file: the lock is the folder's, because the file itself is replaced."""
        with _reported("written"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def _write(self, keys: Sequence[Key]) -> None:
        aside = self.folder / _ASIDE
        aside.unlink(missing_ok=True)  # of a writer that was killed
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_format(keys))
            file.flush()
            os.fsync(descriptor)
        aside.replace(self.folder / _NAME)
        folder = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _check_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _damaged("it is not a regular file")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PunaError(f"others may write the file of API keys: give {_NAME} the mode 0600")
    if status.st_size > _MAX_BYTES:
        raise _damaged(f"it is larger than {_MAX_BYTES >> 20} MiB")


def _format(keys: Iterable[Key]) -> bytes:
    rows = [
        {
            "id": key.id,
            "name": key.name,
            "rights": [right for right in Right if right in key.rights],
            "created": key.created.isoformat(),
            "sha256": key.digest.hex(),
        }
        for key in keys
    ]
    return json.dumps({"version": _VERSION, "keys": rows}, indent=1).encode() + b"\n"


def _parse(data: bytes) -> Sequence[Key]:
    try:
        match json.loads(data):
            case {"version": int(version), "keys": list(rows)} if version == _VERSION:
                keys = [_key(row) for row in rows]
            case _:
                raise _damaged("it is of another version")
    except (ValueError, KeyError, TypeError, RecursionError, BadRequest):
        raise _damaged("it does not hold what Puna writes") from None
    if len({key.id for key in keys}) < len(keys) or len({key.name for key in keys}) < len(keys):
        raise _damaged("a key is in it twice")
    return keys


def _key(row: Mapping[str, Any]) -> Key:
    digest = bytes.fromhex(row["sha256"])
    created = datetime.fromisoformat(row["created"])
    if len(digest) != _DIGEST_BYTES or created.tzinfo is None or not isinstance(row["rights"], list):
        raise ValueError
    return Key(checked_id(row["id"]), checked_name(row["name"]), checked_rights(row["rights"]), created, digest)


def _damaged(reason: str) -> PunaError:
    return PunaError(f"the file of API keys, {_NAME}, is damaged: {reason}")


@contextmanager
def _reported(done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "input or output failed").lower()
        raise PunaError(f"the file of API keys could not be {done}: {reason}; PUNA_KEYS names its folder") from error
