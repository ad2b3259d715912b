"""A push: each blob that the registry lacks, and the manifest last, byte for byte (contract ollama-store §3.5)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from functools import partial

from puna.errors import InvalidName, NotFound, StoreError
from puna.names import ModelName
from puna.progress import Progress
from puna.registry.patience import Patience
from puna.registry.pull import distinct
from puna.registry.repository import Repository
from puna.registry.sharing import Share, Sharing
from puna.registry.threads import in_thread
from puna.registry.upload import Upload
from puna.store import Layer, Store


class Uploads:
    """The blobs on their way out, for all pushes of one store."""

    def __init__(self, store: Store, *, patience: Patience) -> None:
        self._store = store
        self._patience = patience
        self._sharing = Sharing()

    async def join(self, stack: AsyncExitStack, repository: Repository, layer: Layer) -> Share:
        """Take part in the upload of a blob for as long as `stack` is open."""

        def start() -> Upload:
            source = _mountable(layer, repository.name)
            return Upload(self._store, repository, layer.digest, layer.size, mount_from=source, patience=self._patience)

        name = repository.name
        key = (repository.origin, name.namespace, name.model, layer.digest)
        return await stack.enter_async_context(self._sharing.join(key, start))


async def push(store: Store, uploads: Uploads, repository: Repository) -> AsyncGenerator[Progress]:
    """Send the model that has the repository's name; statuses of ollama-http §3.13."""
    yield Progress("retrieving manifest")
    try:
        manifest = await in_thread(lambda: store.find(repository.name))
    except (NotFound, StoreError):
        yield Progress("couldn't retrieve manifest")
        raise
    async with AsyncExitStack() as stack:
        stack.enter_context(store.hold(manifest.digests))
        for layer in distinct(manifest):
            if not await in_thread(partial(store.verify, layer.digest)):
                raise StoreError(f"blob {layer.digest.short} is damaged or missing: run puna verify --repair")
            share = await uploads.join(stack, repository, layer)
            async for completed in share.crossing():
                yield Progress(f"pushing {layer.digest.short}", str(layer.digest), layer.size, completed)
            await share.end()
        yield Progress("pushing manifest")
        await repository.put_manifest(manifest.raw)
    yield Progress("success")


def _mountable(layer: Layer, name: ModelName) -> ModelName | None:
    """The model that the layer was taken from, where the same registry may have it."""
    try:
        source = ModelName.parse(layer.source)
    except InvalidName:
        return None
    same = source.host.lower() == name.host.lower() and source.parts[1:3] != name.parts[1:3]
    return source if same else None
