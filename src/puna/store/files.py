"""The file-system acts of the store: open what a stranger may have put there, write so that a crash cannot tear it.

Every `OSError` leaves this room as a `StoreError` that names the act and the system's reason, never a path (T03).
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from puna.errors import PunaError, StoreError
from puna.units import format_bytes

SHARED_MODE = 0o644  # mkstemp makes 0600, but other users' servers may read the same store (§2.1)
_RESERVE = 2 * 10**9  # bytes of free disk that a download never takes; on a small disk a twentieth of it


@contextmanager
def reported(act: str, missing: PunaError | None = None) -> Iterator[None]:
    """Turn an `OSError` inside the block into a `StoreError`: `could not <act>: No space left on device`.

    With `missing`, that error is raised for a file or a folder on its way that does not exist.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise missing or StoreError(f"could not {act}: {error.strerror}") from error
    except OSError as error:
        raise StoreError(f"could not {act}: {error.strerror or 'input or output failed'}") from error


def open_regular(path: Path) -> FileIO:
    """Open a regular file for reading; links are followed. Never waits on a FIFO or a device (threats T03).

    Raises `OSError`, and `StoreError` for anything that is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StoreError("the store holds something that is not a regular file")
    return FileIO(descriptor, "rb")


def open_private(path: Path, flags: int) -> FileIO:
    """Open a regular file that has this one name only, never through a link: what is written there stays there (T01).

    Raises `OSError`, and `StoreError` for anything else. `flags` are those of `os.open`.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, SHARED_MODE)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise StoreError("the store holds something that is not a file of its own")
    return FileIO(descriptor, "r+b")


def write_at(file: FileIO, data: bytes, offset: int) -> None:
    """Write all of `data`. Raises `OSError`."""
    view = memoryview(data)
    while view:
        count = os.pwrite(file.fileno(), view, offset)
        view, offset = view[count:], offset + count


def read_file(path: Path, limit: int) -> bytes:
    """All bytes of a regular file of at most `limit` bytes. Raises `OSError`, `StoreError`."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise StoreError(f"a file of the store has {size} bytes, the limit for its kind is {limit}")
        chunks = []
        while limit >= 0 and (chunk := file.read(min(limit + 1, 1 << 20))):
            chunks.append(chunk)
            limit -= len(chunk)
        if limit < 0:
            raise StoreError("a file of the store grew while it was read, try again")
        return b"".join(chunks)


def write_durably(path: Path, data: bytes, scratch: Path, prefix: str) -> None:
    """Replace `path` in one step: temporary file in `scratch`, fsync, rename, fsync of the folder. Raises `OSError`."""
    descriptor, name = tempfile.mkstemp(prefix=prefix, dir=scratch)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            publish(file, temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def publish(file: BinaryIO, temporary: Path, path: Path) -> None:
    """Give a written temporary file its final name, durably. Raises `OSError`; the temporary file may remain then."""
    file.flush()
    if stat.S_IMODE(os.fstat(file.fileno()).st_mode) != SHARED_MODE:
        temporary.chmod(SHARED_MODE)
    os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def make_folders(folder: Path, top: Path) -> None:
    """Make `folder` and its missing parents below `top`, each of them durable. Raises `OSError`."""
    missing = []
    while folder != top and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(mode=0o755, exist_ok=True)
        sync_folder(new.parent)


def remove_empty_parents(folder: Path, top: Path) -> None:
    """Remove `folder` and its parents below `top` as far as they are empty."""
    while folder != top:
        try:
            folder.rmdir()
        except OSError:  # not empty, or a link: this is where it ends
            return
        folder = folder.parent


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_space(folder: Path, size: int) -> None:
    """Is there room for `size` more bytes, with a reserve left for everyone else? Raises `StoreError` if not."""
    with reported("ask for the free disk space"):
        disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    reserve = min(disk.f_blocks * disk.f_frsize // 20, _RESERVE)
    if size > 0 and free - size < reserve:
        raise StoreError(
            f"not enough disk space: {format_bytes(size)} are needed and {format_bytes(free)} are free, of which "
            f"{format_bytes(reserve)} stay free; remove models with `puna rm` or move the store (PUNA_MODELS)"
        )
