"""One blob on its way out (contract ollama-store §3.5): is it there, may it be mounted, else parts in one session."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from yarl import URL

from puna.errors import StoreError
from puna.names import Digest, ModelName
from puna.registry.parts import cut, etag
from puna.registry.patience import Patience
from puna.registry.repository import Repository
from puna.registry.retrying import tried
from puna.registry.sharing import Transfer
from puna.registry.threads import in_thread
from puna.store import Part, Store

_PIECE = 2**20  # bytes read and sent in one go


class Upload(Transfer):
    """`mount_from`: a repository of the same registry that may hold the blob already."""

    def __init__(
        self,
        store: Store,
        repository: Repository,
        digest: Digest,
        size: int,
        *,
        mount_from: ModelName | None,
        patience: Patience,
    ) -> None:
        super().__init__(digest, size)
        self._store = store
        self._repository = repository
        self._mount_from = mount_from
        self._parts: list[_Outgoing] = []
        self._patience = patience

    async def run(self) -> None:
        """Send the blob unless the registry has it. Raises `RegistryError`, `StoreError`."""
        await tried(self._patience, self._send)
        self.arrive()

    async def _send(self) -> None:
        """One session. One that broke in a serial part is given up: how much of the part was kept is not known."""
        if await self._repository.has(self.digest):
            return
        session = await self._repository.start_upload(self.digest, self._mount_from)
        if session is None:  # mounted
            return
        self._parts = [_Outgoing(self._store, self.digest, part, self._count) for part in cut(self.total)]
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._parts:
                    patched = await self._repository.patch(session, part.body, part.offset, part.size)
                    session = patched.next_session
                    if patched.put_to is not None:  # the bytes go elsewhere, side by side with the next part's
                        group.create_task(self._put(part, patched.put_to))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        await self._repository.commit(session, self.digest, etag(part.md5 for part in self._parts))

    async def _put(self, part: _Outgoing, url: URL) -> None:
        await tried(self._patience, self._repository.put_part, url, part.body, part.size)

    def _count(self) -> None:
        self.advance(sum(part.sent for part in self._parts))


class _Outgoing:
    """A range of a blob that is read and hashed while it is sent, anew for each try."""

    def __init__(self, store: Store, digest: Digest, part: Part, moved: Callable[[], None]) -> None:
        self.offset = part.offset
        self.size = part.size
        self.sent = 0
        self._store = store
        self._digest = digest
        self._moved = moved
        self._hash = hashlib.md5(usedforsecurity=False)

    @property
    def md5(self) -> bytes:
        return self._hash.digest()

    async def body(self) -> AsyncIterator[bytes]:
        """The bytes of the part. Raises `StoreError` when the blob ends early."""
        self.sent, self._hash = 0, hashlib.md5(usedforsecurity=False)
        with self._store.open_blob(self._digest) as file:
            file.seek(self.offset)
            while self.sent < self.size:
                piece = await in_thread(lambda: self._read(file))
                yield piece
                self.sent += len(piece)
                self._moved()

    def _read(self, file: BinaryIO) -> bytes:
        piece = file.read(min(_PIECE, self.size - self.sent))
        if not piece:
            raise StoreError(f"blob {self._digest.short} has changed while it was sent")
        self._hash.update(piece)
        return piece
