"""The store: one folder of models that Puna shares with Ollama, with every act on it that the rest of Puna may ask for.

Contract ollama-store §2; threats T01, T03, T04. All methods block on the disk (asynchronous callers use a thread), are
safe to call from several threads, and raise `StoreError` when the disk fails. Where a `ModelName` goes in, any spelling
of it finds the stored one (§1.3); only `write_manifest` takes a name literally, so `resolve` it first.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, TypeVar

from puna.errors import NotFound, PunaError, StoreError
from puna.names import Digest, ModelName, model_not_found
from puna.store.blobs import MAX_READ, Blobs, BlobWriter
from puna.store.catalog import Catalog
from puna.store.files import (
    make_folders,
    remove_empty_parents,
    reported,
    require_space,
    sync_folder,
    write_durably,
)
from puna.store.headers import Headers
from puna.store.layout import SCRATCH_PREFIX, Layout
from puna.store.manifest import Manifest
from puna.store.model import Model, ModelReader
from puna.store.partial import Partial, partial_size
from puna.store.provenance import Provenance, provenance_record
from puna.store.startup import prepare, sweep

log = logging.getLogger(__name__)

T = TypeVar("T")


class Store:
    """The models at rest below `root` (blobs and manifests folders). `prune=False` keeps unreferenced blobs."""

    def __init__(self, root: Path, *, prune: bool = True) -> None:
        self.root = root
        self._prunes = prune
        self._layout = Layout(root)
        self._blobs = Blobs(self._layout)
        self._catalog = Catalog(self._layout, ModelReader(self._layout, self._blobs, Headers(self._layout)))
        self._provenance = provenance_record(self._layout.provenance)
        # One lock around whatever reads the references and then removes, and around what adds references.
        self._lock = threading.RLock()
        self._held: Counter[Digest] = Counter()
        self._doomed: set[Digest] = set()  # held blobs whose last manifest was deleted meanwhile

    def start(self) -> None:
        """Make the folders, rename blobs of old stores, remove leftovers. Once, before serving.

        Leftovers are older than an hour, interrupted downloads older than a week. Nothing is removed while any manifest
        is unreadable: what it needs is unknown.
        """
        prepare(self._layout)
        with self._lock:
            self._tidy()
            self._blobs.verified.compact(self._blobs.has)

    # Models

    def resolve(self, name: ModelName) -> ModelName:
        """`name` as the store spells it; unchanged where nothing stored matches (§1.3)."""
        return self._catalog.resolve(name)

    def find(self, name: ModelName) -> Manifest:
        """The manifest. Raises `NotFound`, and `StoreError` when it is damaged."""
        return self._respelled(name, self._catalog.manifest)

    def model(self, name: ModelName) -> Model:
        """The model, parsed once for as long as its manifest stays the same.

        Raises `NotFound`, and `StoreError` when the manifest or a text layer is damaged. Missing weights are no error.
        """
        return self._respelled(name, self._catalog.model)

    def models(self) -> list[Model]:
        """All readable models, newest first. Damaged ones are left out with a warning in the log."""
        return self._catalog.models()

    def names(self) -> list[ModelName]:
        """The names of all manifests, readable or not."""
        return self._catalog.names()

    def write_manifest(self, name: ModelName, manifest: Manifest) -> None:
        """Make `manifest` the model `name`, in one step that survives a power cut; the last act of a pull or create.

        Its blobs are touched first (§2.9). Raises `StoreError` when one is missing, `Forbidden` where a link leads out.
        """
        with self._lock:
            for digest in manifest.digests:
                if not self._blobs.has(digest):
                    raise StoreError(f"model '{name}' was not written: blob {digest} is missing")
                self._blobs.touch(digest)
            path = self._layout.inside(self._layout.manifest(name))
            with reported("write a manifest"):
                make_folders(path.parent, self._layout.manifests)
                write_durably(path, manifest.raw, self._layout.manifests, SCRATCH_PREFIX)

    def copy(self, source: ModelName, target: ModelName) -> None:
        """Give a model a second name, byte for byte the same manifest. Raises `NotFound`, `StoreError`."""
        with self._lock:
            manifest = self.find(source)
            target = self.resolve(target)
            if target != self.resolve(source):
                self.write_manifest(target, manifest)

    def delete(self, name: ModelName) -> None:
        """Remove a model and the blobs that no other model names. Raises `NotFound`, `StoreError`, `Forbidden`.

        Blobs in use (`hold`) go when they are released. A damaged manifest is removed too; its blobs then wait for the
        next start.
        """
        with self._lock:
            stored = self.resolve(name)
            try:
                orphans = self._catalog.manifest(stored).digests
            except (StoreError, NotFound):  # damaged, or a dangling link, or really not there: `unlink` knows
                orphans = ()
            path = self._layout.inside(self._layout.manifest(stored))
            with reported("delete a model", model_not_found(name.shortest)):
                path.unlink()
                sync_folder(path.parent)  # before the blobs: a power cut must not bring back a model without its blobs
                remove_empty_parents(path.parent, self._layout.manifests)
            self._drop(orphans)

    def is_pulled(self, name: ModelName) -> bool:
        """Did the model come from a registry? Known from its provenance; of Ollama's own pulls, which leave none, from
        the end of the manifest: one made here ends with a newline (§2.3). Raises `NotFound`, `StoreError`.
        """
        manifest = self.find(name)
        return self.provenance(manifest.digest) is not None or not manifest.raw.endswith(b"\n")

    def provenance(self, digest: Digest) -> Provenance | None:
        """Where the manifest with this digest was pulled from; None for models made here or pulled by Ollama."""
        return self._provenance.get(digest)

    def note_provenance(self, digest: Digest, provenance: Provenance) -> None:
        """Remember, durably, where a manifest comes from; just before `write_manifest`. Raises `StoreError`."""
        with reported("note where a model comes from"):
            self._provenance.set(digest, provenance)

    # Blobs

    def has_blob(self, digest: Digest) -> bool:
        return self._blobs.has(digest)

    def blob_path(self, digest: Digest) -> Path:
        """Where the blob is or would be: for an engine to read, for nobody else to write."""
        return self._layout.blob(digest)

    def blob_size(self, digest: Digest) -> int:
        """Bytes. Raises `NotFound`."""
        return self._blobs.size(digest)

    def read_blob(self, digest: Digest, limit: int = MAX_READ) -> bytes:
        """A small blob's bytes. Raises `NotFound`, and `StoreError` over `limit` bytes."""
        return self._blobs.read(digest, limit)

    def open_blob(self, digest: Digest) -> BinaryIO:
        """A blob opened for reading, unbuffered; the caller closes it. Raises `NotFound`, `StoreError`."""
        return self._blobs.open(digest)

    def writer(self) -> BlobWriter:
        """`with store.writer() as writer: writer.write(chunk); digest = writer.commit(expected)`."""
        return self._blobs.writer()

    def put_blob(self, data: bytes) -> tuple[Digest, bool]:
        """Store bytes; tells the digest and whether it is new here."""
        return self._blobs.put(data)

    def adopt(self, path: Path) -> tuple[Digest, bool]:
        """Take a file in by hard link or copy; tells the digest and whether it is new here. The file stays."""
        return self._blobs.adopt(path)

    def touch(self, digest: Digest) -> None:
        """Keep a blob from start-up pruning for an hour. Raises `NotFound`."""
        self._blobs.touch(digest)

    def verify(self, digest: Digest) -> bool:
        """Does the blob hash to its name? Hashed only if its file changed since the last time. False if missing."""
        return self._blobs.verify(digest)

    def rehash(self, digest: Digest) -> Generator[int, None, bool]:
        """Does the blob hash to its name? Hashed in any case: yields the bytes read so far, returns the answer."""
        return self._blobs.rehash(digest)

    def partial(self, digest: Digest, size: int) -> Partial:
        """A download of `size` bytes, new or interrupted: `with store.partial(digest, size) as partial: …`."""
        return Partial(self._layout, self._blobs, digest, size)

    def partial_size(self, digest: Digest) -> int:
        """Bytes that an interrupted download takes on the disk now; 0 where there is none."""
        return partial_size(self._layout, digest)

    def require_space(self, size: int) -> None:
        """Raises `StoreError` unless the disk has room for `size` bytes and a reserve of 5 %, at most 2 GB."""
        require_space(self._layout.blobs, size)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the store's disk, so that `adopt` can link what is made in it; removed with the block.

        What a killed process leaves there goes at a start when nothing in it is younger than an hour.
        """
        with reported("make a scratch folder"):
            folder = TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=self.root)
        with folder as path:
            yield Path(path)

    @contextmanager
    def hold(self, digests: Iterable[Digest]) -> Iterator[None]:
        """Blobs in use by this process: neither `prune` nor `delete` removes them before the block ends."""
        held = tuple(digests)
        with self._lock:
            self._held.update(held)
        try:
            yield
        finally:
            with self._lock:
                self._held.subtract(held)
                self._held = +self._held
                released = self._doomed - self._held.keys()
                self._doomed -= released
                self._drop(released)

    def prune(self, candidates: Iterable[Digest]) -> list[Digest]:
        """Remove those blobs that no readable manifest names; tells which went. Nothing with `prune=False`."""
        if not self._prunes:
            return []
        with self._lock:
            return self._drop(candidates)

    def _respelled(self, name: ModelName, read: Callable[[ModelName], T]) -> T:
        """`read(name)`, or if there is no such name, `read` of the stored spelling. Errors name what was asked."""
        try:
            return read(name)
        except NotFound as error:
            stored = self.resolve(name)
            if stored == name:
                raise
            try:
                return read(stored)
            except NotFound:
                raise error from None

    def _tidy(self) -> None:
        try:
            manifests = self._catalog.manifests(strict=True)
        except StoreError as error:
            log.warning("the store is not pruned: %s", error)
            return
        if self._prunes:
            sweep(self._layout, _named(manifests) | set(self._held))
        self._provenance.compact({manifest.digest for manifest in manifests}.__contains__)

    def _drop(self, candidates: Iterable[Digest]) -> list[Digest]:
        """Under the lock. What cannot be removed stays for the next start: the act that led here has succeeded."""
        orphans = set(candidates)
        if not orphans:
            return []
        try:
            orphans -= _named(self._catalog.manifests(strict=False))
        except StoreError as error:
            log.warning("unused blobs stay: %s", error)
            return []
        self._doomed |= orphans & self._held.keys()
        removed = []
        for digest in orphans - self._held.keys():
            try:
                if self._blobs.remove(digest):
                    removed.append(digest)
            except PunaError as error:
                log.warning("blob %s stays: %s", digest.short, error)
        return removed


def _named(manifests: Iterable[Manifest]) -> set[Digest]:
    """Every blob that one of them names."""
    return {digest for manifest in manifests for digest in manifest.digests}
