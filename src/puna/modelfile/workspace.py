"""The blobs that a create relies on: safe from pruning until it ends, and the new ones removed if it fails."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from puna.names import Digest
from puna.store import Layer, Store


class Workspace:
    """One create at work on `store`. A blob is held from the moment it is told here."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.created: set[Digest] = set()  # blobs that were not in the store before
        self._holds = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._holds:  # a held blob goes when it is released
            if kind is not None:
                self.store.prune(self.created)

    def hold(self, digests: Iterable[Digest]) -> None:
        """Rely on blobs that others stored."""
        self._holds.enter_context(self.store.hold(digests))

    def made(self, digest: Digest, created: bool) -> None:
        """Rely on a blob that this create stored; `created`: nobody had it before."""
        self.hold([digest])
        if created:
            self.created.add(digest)

    def put(self, media_type: str, data: bytes) -> Layer:
        """Store a small layer."""
        digest, created = self.store.put_blob(data)
        self.made(digest, created)
        return Layer(media_type, digest, len(data))
