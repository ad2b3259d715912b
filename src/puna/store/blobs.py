"""Blobs: files named by the SHA-256 of their bytes (contract ollama-store §2.2, threats T04).

A blob gets its name last: bytes go to a temporary file while they are hashed, then fsync, rename, fsync of the folder.
Whatever carries a digest's name was hashed, by this store or, in an Ollama folder, by another one; `verify` finds out.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Generator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from puna.errors import BadRequest, NotFound
from puna.names import Digest
from puna.store.files import SHARED_MODE, open_regular, publish, read_file, reported
from puna.store.hashing import drain, hash_file, hash_steps
from puna.store.layout import Layout
from puna.store.verified import Verified

_CHUNK = 2**20
_TEMPORARY = "sha256-"  # the reference's form: not a digest's name, so either server prunes it after an hour
MAX_READ = 16 * 2**20  # bytes of a text or JSON blob


class Blobs:
    """The blobs of one store. Every method blocks on the disk."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.verified = Verified(layout.verified)

    def has(self, digest: Digest) -> bool:
        """Is there a regular file under this digest's name? Links are followed."""
        with reported("read a blob"):
            return self._layout.blob(digest).is_file()

    def size(self, digest: Digest) -> int:
        """Bytes of the blob. Raises `NotFound`, `StoreError`."""
        return self._status(digest).st_size

    def read(self, digest: Digest, limit: int = MAX_READ) -> bytes:
        """The blob's bytes. Raises `NotFound`, and `StoreError` when it is longer than `limit` or unreadable."""
        with reported("read a blob", _missing(digest)):
            return read_file(self._layout.blob(digest), limit)

    def open(self, digest: Digest) -> BinaryIO:
        """The blob opened for reading, unbuffered. Raises `NotFound`, `StoreError`."""
        with reported("read a blob", _missing(digest)):
            return open_regular(self._layout.blob(digest))

    def touch(self, digest: Digest) -> None:
        """Make the blob young: pruning spares what is younger than an hour (§2.9). Raises `NotFound`, `StoreError`."""
        status = self._status(digest)
        path = self._layout.blob(digest)
        with reported("touch a blob"):
            known = self.verified.matches(digest, status)
            try:
                os.utime(path, follow_symlinks=False)
            except PermissionError:  # another user's blob: that user's server judges its age
                return
            if known:
                self.verified.record(digest, path.stat())

    def writer(self) -> BlobWriter:
        return BlobWriter(self._layout, self)

    def put(self, data: bytes) -> tuple[Digest, bool]:
        """Store `data`; tells its digest and whether it is new here. Raises `StoreError`."""
        with self.writer() as writer:
            writer.write(data)
            return writer.commit(), writer.created

    def adopt(self, source: Path) -> tuple[Digest, bool]:
        """Take a file into the store: a hard link where the file system allows it, else a copy. Raises `StoreError`.

        The source must not be changed in place afterwards; its bytes are hashed here.
        """
        with reported("take a file into the store"), open_regular(source) as file:
            link = self._link(source, os.fstat(file.fileno()))
            if link is not None:
                try:
                    if (linked := self._publish_link(file, link)) is not None:
                        return linked
                finally:
                    link.unlink(missing_ok=True)
            file.seek(0)
            with self.writer() as writer:
                while chunk := file.read(_CHUNK):
                    writer.write(chunk)
                return writer.commit(), writer.created

    def verify(self, digest: Digest) -> bool:
        """Does the blob hash to its name? Hashes it unless the record of verified blobs knows this very file.

        False for a missing blob. Raises `StoreError` when it cannot be read.
        """
        if self.has(digest) and self.verified.matches(digest, self._status(digest)):
            return True
        return drain(self.rehash(digest))

    def rehash(self, digest: Digest) -> Generator[int, None, bool]:
        """Does the blob hash to its name? Hashes it in any case; yields the bytes read so far, returns the answer.

        False for a missing blob, and for one on a part of the disk that cannot be read any more: both can be fetched
        again. Raises `StoreError` when it may not be read.
        """
        if not self.has(digest):
            self.verified.forget(digest)
            return False
        with reported("verify a blob"), open_regular(self._layout.blob(digest)) as file:
            before = os.fstat(file.fileno())
            if not (yield from _hashes_to(digest, file)):
                self.verified.forget(digest)
                return False
            if os.fstat(file.fileno()).st_mtime_ns == before.st_mtime_ns:
                self.verified.record(digest, before)
            return True

    def remove(self, digest: Digest) -> bool:
        """Remove the blob, of a link the link only; False if there was none. Raises `StoreError`, `Forbidden`."""
        path = self._layout.inside(self._layout.blob(digest))
        with reported("remove a blob"):
            self.verified.forget(digest)
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            return True

    def settle(self, file: BinaryIO, temporary: Path, digest: Digest) -> bool:
        """Give hashed bytes their name; True if that name is new. Raises `OSError`, `Forbidden`.

        A blob that is there already is kept only if it was verified. Otherwise these bytes, known to be right, take its
        place, which heals a damaged blob; a runner that has the old file open keeps it.
        """
        path = self._layout.inside(self._layout.blob(digest))
        present = path.is_file()
        if present and self.verified.matches(digest, path.stat()):
            self.touch(digest)
            return False
        publish(file, temporary, path)
        os.utime(path)
        self.verified.record(digest, os.fstat(file.fileno()))  # of the file that was hashed, whatever is at `path` now
        return not present

    def _status(self, digest: Digest) -> os.stat_result:
        with reported("read a blob", _missing(digest)):
            return self._layout.blob(digest).stat()

    def _link(self, source: Path, status: os.stat_result) -> Path | None:
        """A second name for the source among the blobs; None where links are not possible or not wanted.

        Only a file that is ours and has a blob's mode already: both names share owner, mode and time.
        """
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) != SHARED_MODE:
            return None
        descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=self._layout.blobs)
        os.close(descriptor)
        link = Path(name)
        link.unlink()
        try:
            link.hardlink_to(source.resolve())
        except OSError:
            return None
        if os.path.samestat(link.stat(), status):
            return link
        link.unlink()
        return None

    def _publish_link(self, file: FileIO, link: Path) -> tuple[Digest, bool] | None:
        """None when the file was touched while it was hashed, as a second store that adopts it does: copy it then."""
        before = os.fstat(file.fileno())
        digest = hash_file(file)
        if os.fstat(file.fileno()).st_mtime_ns != before.st_mtime_ns:
            return None
        return digest, self.settle(file, link, digest)


class BlobWriter:
    """A new blob on its way in: `with store.writer() as writer: writer.write(…); writer.commit(expected)`.

    Leaving the block without `commit` drops the bytes. A killed process leaves a temporary file, which start-up pruning
    removes after an hour.
    """

    def __init__(self, layout: Layout, blobs: Blobs) -> None:
        self.created = False  # after `commit`: the digest was new here
        self.size = 0  # bytes written so far
        self._layout = layout
        self._blobs = blobs
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        with reported("write a blob"):
            descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=self._layout.blobs)
        self._temporary = Path(name)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        with reported("remove a temporary file"):
            self._temporary.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Append bytes. Raises `StoreError`, for instance when the disk is full."""
        with reported("write a blob"):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        self._hash.update(data)
        self.size += len(data)

    def commit(self, expected: Digest | None = None) -> Digest:
        """Publish the bytes under their digest, which is returned; call it once.

        Raises `BadRequest` when they do not hash to `expected` (nothing is stored then), `StoreError`.
        """
        digest = Digest(self._hash.hexdigest())
        if expected is not None and digest != expected:
            raise BadRequest(f'digest mismatch, expected "{expected}", got "{digest}"')
        with reported("store a blob"):
            self.created = self._blobs.settle(self._file, self._temporary, digest)
        return digest


def _hashes_to(digest: Digest, file: FileIO) -> Generator[int, None, bool]:
    try:
        return (yield from hash_steps(file)) == digest
    except OSError as error:
        if error.errno == errno.EIO:
            return False
        raise


def _missing(digest: Digest) -> NotFound:
    return NotFound(f"blob {digest} not found")
