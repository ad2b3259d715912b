"""Does every blob still hash to its name, and can a damaged one be had again? (threats T04)"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from functools import partial

from puna.errors import InvalidName, PunaError, StoreError
from puna.names import Digest, ModelName
from puna.progress import Progress
from puna.registry.pull import Downloads, distinct
from puna.registry.repository import Repository
from puna.registry.sharing import Sharing, Transfer
from puna.registry.threads import in_thread
from puna.store import Layer, Store


class _Damaged(StoreError):
    """A blob is not what its name says."""


class _Check(Transfer):
    """The hashing of one blob, with the progress of a transfer. Ends in `_Damaged` where the hash is another."""

    def __init__(self, store: Store, digest: Digest, size: int) -> None:
        super().__init__(digest, size)
        self._store = store
        self._leaving = threading.Event()

    async def run(self) -> None:
        if not await in_thread(self._hash, stop=self._leaving.set):
            raise _Damaged(f"blob {self.digest} is damaged")
        self.arrive()

    def _hash(self) -> bool:
        steps = self._store.rehash(self.digest)
        try:
            while not self._leaving.is_set():
                self.advance(next(steps))
        except StopIteration as end:
            return bool(end.value)
        finally:
            steps.close()
        return False


@dataclass(slots=True)
class _Blob:
    layer: Layer
    models: list[ModelName] = field(default_factory=list)
    sources: set[ModelName] = field(default_factory=set)  # where it can be had again

    def __str__(self) -> str:
        return f"{self.layer.digest} of {', '.join(map(str, self.models))}"


class Verifier:
    """Hashes what is in the store; with `repository_of`, which may refuse a name, it fetches what is damaged again."""

    def __init__(self, store: Store, downloads: Downloads) -> None:
        self._store = store
        self._downloads = downloads
        self._checks = Sharing()

    async def verify(
        self, names: Iterable[ModelName] | None, repository_of: Callable[[ModelName], Repository] | None
    ) -> AsyncGenerator[Progress]:
        """The blobs of these models, or of all. Raises `StoreError` where damage stays, `NotFound`.

        Statuses: `verifying <12 hex>`; `damaged`, `missing`, `repaired` with `<digest> of <models>`; `success`.
        """
        blobs, broken = await in_thread(lambda: self._blobs(names))
        for name in broken:
            yield Progress(f"damaged manifest of {name}")
        damaged: list[_Blob] = []
        for blob in blobs:
            async with aclosing(self._check(blob, damaged)) as steps:
                async for step in steps:
                    yield step
        if damaged and repository_of is None:
            raise StoreError(f"{_count(len(damaged), 'blob')} damaged: run puna verify --repair")
        if damaged and repository_of is not None:
            async with aclosing(self._repair_all(damaged, repository_of)) as steps:
                async for step in steps:
                    yield step
        if broken:
            raise StoreError(f"{_count(len(broken), 'manifest')} damaged: pull or create the model again")
        yield Progress("success")

    def _blobs(self, names: Iterable[ModelName] | None) -> tuple[list[_Blob], list[ModelName]]:
        """The blobs of these models, each once, and the models whose manifests cannot be read."""
        found: dict[Digest, _Blob] = {}
        broken = []
        for name in self._store.names() if names is None else names:
            try:
                manifest = self._store.find(name)
            except StoreError:
                broken.append(name)
                continue
            provenance = self._store.provenance(manifest.digest)
            pulled = {provenance.name} if provenance else {name} if self._store.is_pulled(name) else set()
            for layer in distinct(manifest):
                blob = found.setdefault(layer.digest, _Blob(layer))
                blob.models.append(name)
                blob.sources |= pulled | _base(layer)
        return list(found.values()), broken

    async def _check(self, blob: _Blob, damaged: list[_Blob]) -> AsyncGenerator[Progress]:
        layer = blob.layer
        if not self._store.has_blob(layer.digest):
            damaged.append(blob)
            yield Progress(f"missing {blob}", str(layer.digest))
            return
        start = partial(_Check, self._store, layer.digest, layer.size)
        try:
            async with self._checks.join(layer.digest, start) as share:
                async for completed in share.crossing():
                    yield Progress(f"verifying {layer.digest.short}", str(layer.digest), layer.size, completed)
                await share.end()
        except _Damaged:
            damaged.append(blob)
            yield Progress(f"damaged {blob}", str(layer.digest))

    async def _repair_all(
        self, damaged: Iterable[_Blob], repository_of: Callable[[ModelName], Repository]
    ) -> AsyncGenerator[Progress]:
        """Fetch each blob from the first place that gives it. Raises `StoreError` at the end where none did."""
        failures = []
        for blob in damaged:
            failure = "it was made here, create the model again"
            for name in sorted(blob.sources, key=str):
                try:
                    async with aclosing(self._fetch(blob.layer, repository_of(name))) as steps:
                        async for step in steps:
                            yield step
                except PunaError as error:
                    failure = error.message
                else:
                    yield Progress(f"repaired {blob}", str(blob.layer.digest))
                    break
            else:
                failures.append(f"{blob} could not be repaired: {failure}")
        if failures:
            raise StoreError("; ".join(failures))

    async def _fetch(self, layer: Layer, repository: Repository) -> AsyncGenerator[Progress]:
        async with AsyncExitStack() as stack:
            share = await self._downloads.join(stack, repository, layer)
            async for completed in share.crossing():
                yield Progress(f"pulling {layer.digest.short}", str(layer.digest), layer.size, completed)
            await share.end()


def _base(layer: Layer) -> set[ModelName]:
    """The model that a layer was taken over from."""
    try:
        return {ModelName.parse(layer.source)} if layer.source else set()
    except InvalidName:  # a file's name
        return set()


def _count(number: int, what: str) -> str:
    return f"1 {what} is" if number == 1 else f"{number} {what}s are"
