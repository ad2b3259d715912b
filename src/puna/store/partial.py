"""Downloads on their way into the store: they survive a kill, and get a blob's name only once hashed (threats T04).

The data file has the blob's full length from the start and fills up part by part; the journal beside it says how far
each part is. A journal may claim too much after a power cut: the hash at the end finds that out, so nothing here waits
for the disk before that end.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import FileIO
from types import TracebackType
from typing import Self

from puna.errors import DigestMismatch, PunaError, StoreError
from puna.names import Digest
from puna.store.blobs import Blobs
from puna.store.files import open_private, reported
from puna.store.hashing import hash_file
from puna.store.journal import MAX_PARTS, Journal, Part, tile
from puna.store.layout import Layout

log = logging.getLogger(__name__)


def partial_size(layout: Layout, digest: Digest) -> int:
    """Bytes that an interrupted download takes on the disk; 0 where there is none. Raises `StoreError`."""
    with reported("look at a download"):
        try:
            return layout.partial(digest).lstat().st_blocks * 512  # POSIX's unit, whatever the disk's is
        except FileNotFoundError:
            return 0


class Partial:
    """One running download: `with store.partial(digest, size) as partial: …`. Blocking methods, for any thread.

    The block holds the only right to this download, among all processes that ask for it here. Leaving the block waits
    for a call that still runs in another thread, notes all parts and keeps the files for the next try. After `publish`
    or `drop`, every further call is a `ValueError`.
    """

    def __init__(self, layout: Layout, blobs: Blobs, digest: Digest, size: int) -> None:
        self.parts: list[Part] = []  # what is known of an earlier try, by offset; none: `plan` has to come first
        self._blobs = blobs
        self._digest = digest
        self._size = size
        self._path = layout.inside(layout.partial(digest))
        self._journal = Journal(layout, digest)
        self._lock = threading.Lock()  # a descriptor must not be closed, and then reused, under another thread's write
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        """Raises `StoreError`, also when another process holds this download."""
        with reported("open a download"):
            file = self._acquire()
            try:
                if os.fstat(file.fileno()).st_size == self._size:
                    self.parts = self._journal.read(self._size)
                    _believe_only_what_is_there(file, self.parts)
            except BaseException:
                file.close()
                raise
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._file is None:
                return
            with self._file as file:
                self._file = None
                try:
                    self._leave(file)
                except (OSError, PunaError) as failure:  # older entries stay, and claim less
                    log.warning("the journal of blob %s was not written: %s", self._digest.short, failure)

    def plan(self, parts: Iterable[Part]) -> None:
        """Start anew with these parts, given by offset: nothing of an earlier try stays. Raises `StoreError`."""
        parts = list(parts)
        distinct = len({part.number for part in parts}) == len(parts) <= MAX_PARTS
        if not distinct or not tile(parts, self._size) or any(part.completed for part in parts):
            raise ValueError("the parts do not tile the blob")
        with self._working("start a download") as file:
            self.parts = []
            self._journal.clear()  # first: no entry may outlive the bytes that it speaks of
            os.ftruncate(file.fileno(), 0)
            os.ftruncate(file.fileno(), self._size)
            for part in parts:
                self._journal.write(part)
            self.parts = parts

    def write(self, part: Part, data: bytes | bytearray | memoryview) -> None:
        """Put the part's next bytes into the file and count them. Raises `StoreError`, for instance on a full disk.

        What was written before a failure is counted. `ValueError`: more bytes than the part has.
        """
        view = memoryview(data).cast("B")
        if len(view) > part.size - part.completed:
            raise ValueError("a part gets more bytes than it has")
        with self._working("write a download") as file:
            while view:
                count = os.pwrite(file.fileno(), view, part.position)
                part.completed += count
                view = view[count:]

    def note(self, part: Part) -> None:
        """Write down how far the part is, without waiting for the disk (some 20 µs). Raises `StoreError`."""
        with self._working("note a download's progress"):
            self._journal.write(part)

    def publish(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Hash what is in the file and give it the blob's name; the download is over then.

        Raises `DigestMismatch` (the files are gone then), `Cancelled` soon after `stop()` turned true (they stay),
        `StoreError`; `ValueError` while parts are missing.
        """
        if sum(part.completed for part in self.parts) != self._size:
            raise ValueError("parts of the blob are missing")
        with self._working("store a blob") as file:
            self._note_all()
            found = _flush_and_hash(file, stop)
            if found != self._digest:
                self._remove(file)
                raise DigestMismatch(self._digest, found)
            if not self._is_named(file):
                raise StoreError("another program took the downloaded file away, pull again")
            self._blobs.settle(file, self._path, self._digest)
            self._remove(file)

    def drop(self) -> None:
        """Give the download up and remove its files. Raises `StoreError`."""
        with self._working("remove a download") as file:
            self._remove(file)

    @contextmanager
    def _working(self, act: str) -> Iterator[FileIO]:
        with self._lock, reported(act):
            if self._file is None:
                raise ValueError("the download is over")
            yield self._file

    def _acquire(self) -> FileIO:
        """The data file, opened and locked. It may be published or replaced in between: look again then."""
        for _ in range(3):
            self._clear_the_way()
            file = open_private(self._path, os.O_RDWR | os.O_CREAT)
            if _lock(file) and self._is_named(file):
                return file
            file.close()
        raise StoreError(f"blob {self._digest.short} is being downloaded by another process")

    def _clear_the_way(self) -> None:
        """Remove what is no file of ours: a link, a second name of another file, a FIFO. It is never written to."""
        with suppress(FileNotFoundError):
            status = self._path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                self._path.unlink()

    def _is_named(self, file: FileIO) -> bool:
        """Is this open file still the one that the download's name stands for?"""
        try:
            return os.path.samestat(self._path.lstat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False

    def _leave(self, file: FileIO) -> None:
        if not os.fstat(file.fileno()).st_size:  # it never began
            self._remove(file)
        elif self._is_named(file):
            self._note_all()

    def _note_all(self) -> None:
        for part in self.parts:
            self._journal.write(part)

    def _remove(self, file: FileIO) -> None:
        self._journal.clear()
        if self._is_named(file):
            self._path.unlink()
        self._file = None
        file.close()


def _lock(file: FileIO) -> bool:
    """Take the one lock of an open file; the system gives it back when the file is closed or the process dies."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _flush_and_hash(file: FileIO, stop: Callable[[], bool]) -> Digest:
    """The digest of the file, whose bytes are on the disk then: the disk writes while the processor computes."""
    with ThreadPoolExecutor(max_workers=1) as flusher:
        flushed = flusher.submit(os.fsync, file.fileno())
        digest = hash_file(file, stop)
    flushed.result()
    return digest


def _believe_only_what_is_there(file: FileIO, parts: Iterable[Part]) -> None:
    """Take back claims about bytes that a power cut kept from the disk: where the file has a hole, nothing was written.

    Not every loss leaves a hole, but a hole found here is a few parts fetched again instead of a whole blob.
    """
    for part in parts:
        hole = os.lseek(file.fileno(), part.offset, os.SEEK_HOLE)
        part.completed = min(part.completed, hole - part.offset)
