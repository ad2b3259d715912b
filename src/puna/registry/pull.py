"""A pull: the manifest, each blob that is missing, the checks, and the manifest last (contract ollama-store §3.2)."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack

from puna.errors import NotFound, PunaError, RegistryError, StoreError
from puna.names import Digest, ModelName
from puna.progress import Progress
from puna.registry.download import Download
from puna.registry.pace import Pace
from puna.registry.patience import Patience
from puna.registry.repository import Repository
from puna.registry.sharing import Share, Sharing
from puna.registry.threads import in_thread
from puna.store import Layer, Manifest, MediaType, Provenance, Store


class Downloads:
    """The blobs on their way in, for all pulls of one store."""

    def __init__(self, store: Store, *, pace: Pace, patience: Patience) -> None:
        self._store = store
        self._pace = pace
        self._patience = patience
        self._sharing = Sharing()

    async def join(self, stack: AsyncExitStack, repository: Repository, layer: Layer) -> Share:
        """Take part in the download of a blob for as long as `stack` is open."""

        def start() -> Download:
            return Download(self._store, repository, layer.digest, layer.size, pace=self._pace, patience=self._patience)

        return await stack.enter_async_context(self._sharing.join(layer.digest, start))


async def pull(store: Store, downloads: Downloads, repository: Repository) -> AsyncGenerator[Progress]:
    """Bring the model that has the repository's name here or up to date; statuses of ollama-http §3.13."""
    name = repository.name
    yield Progress("pulling manifest")
    replaced = await in_thread(lambda: _blobs_of(store, name))
    manifest = await _manifest(repository)
    layers = distinct(manifest)
    async with AsyncExitStack() as stack:
        stack.enter_context(store.hold(layer.digest for layer in layers))
        missing = await in_thread(lambda: _missing(store, layers))
        await in_thread(lambda: store.require_space(sum(layer.size - _arrived(store, layer) for layer in missing)))
        shares = []
        for layer in layers:
            status, digest = f"pulling {layer.digest.short}", str(layer.digest)
            if layer not in missing:
                yield Progress(status, digest, layer.size, layer.size)
                continue
            share = await downloads.join(stack, repository, layer)
            shares.append(share)
            async for completed in share.crossing():
                yield Progress(status, digest, layer.size, completed)
        if shares:
            yield Progress("verifying sha256 digest")
        for share in shares:
            await share.end()
        yield Progress("writing manifest")
        await in_thread(lambda: _record(store, repository, manifest))
    if await in_thread(lambda: store.prune(replaced - set(manifest.digests))):
        yield Progress("removing unused layers")
    yield Progress("success")


async def _manifest(repository: Repository) -> Manifest:
    try:
        manifest = await repository.manifest()
    except PunaError as error:
        raise RegistryError(f"pull model manifest: {error.message}") from None
    if manifest.config is None:
        raise RegistryError(f"{repository.name.namespace}/{repository.name.model}: digest is empty")
    if manifest.of_type(MediaType.TENSOR):
        raise RegistryError("this model consists of single tensors, which Puna cannot run: pull a GGUF version of it")
    return manifest


def distinct(manifest: Manifest) -> list[Layer]:
    """Each blob once, in the manifest's order, the config last. Raises `RegistryError` where sizes contradict."""
    layers: dict[Digest, Layer] = {}
    for layer in (*manifest.layers, *([manifest.config] if manifest.config else [])):
        known = layers.setdefault(layer.digest, layer)
        if known.size != layer.size:
            raise RegistryError(f"pull model manifest: two sizes are given for blob {layer.digest.short}")
    return list(layers.values())


def _blobs_of(store: Store, name: ModelName) -> set[Digest]:
    """What the model needs that is here now under this name; a damaged one is only replaced."""
    try:
        return set(store.find(name).digests)
    except (NotFound, StoreError):
        return set()


def _missing(store: Store, layers: Iterable[Layer]) -> list[Layer]:
    """The blobs that are not here or not what their name says (threats T04)."""
    missing = []
    for layer in layers:
        if not store.verify(layer.digest):
            missing.append(layer)
        elif (size := store.blob_size(layer.digest)) != layer.size:
            raise RegistryError(f"pull model manifest: blob {layer.digest.short} has {size} bytes, not {layer.size}")
    return missing


def _arrived(store: Store, layer: Layer) -> int:
    """Bytes of a blob that an interrupted pull has left on the disk."""
    return min(store.partial_size(layer.digest), layer.size)


def _record(store: Store, repository: Repository, manifest: Manifest) -> None:
    """The provenance first: should the server die between the two, it is the model that is not here yet."""
    provenance = Provenance(str(repository.origin), repository.name, int(time.time()))
    store.note_provenance(manifest.digest, provenance)
    store.write_manifest(repository.name, manifest)
