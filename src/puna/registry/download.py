"""One blob on its way in (contract ollama-store §3.3): parts side by side, a journal, retries, the digest check.

What has arrived is never thrown away while it may still be right: a cut connection, a cancelled pull and a killed
server all go on from the journal. A try that brought more than a crumb starts the count of tries anew.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from functools import partial as bind

from puna.errors import DigestMismatch, Interrupted, RegistryError
from puna.names import Digest
from puna.registry.pace import Pace
from puna.registry.parts import PARALLEL, cut, whole
from puna.registry.patience import Patience
from puna.registry.repository import NoRanges, Repository
from puna.registry.retrying import tried
from puna.registry.sharing import Transfer
from puna.registry.threads import in_thread
from puna.store import Part, Partial, Store

log = logging.getLogger(__name__)

_JOURNAL_STEP = 4 * 2**20  # bytes of a part that a killed process may have to fetch again


class Download(Transfer):
    """`size` is what the manifest says: a registry that sends more or less than that is not believed."""

    def __init__(
        self, store: Store, repository: Repository, digest: Digest, size: int, *, pace: Pace, patience: Patience
    ) -> None:
        super().__init__(digest, size)
        self._store = store
        self._repository = repository
        self._pace = pace
        self._patience = patience
        self._received = 0  # bytes from the network, in all tries

    async def run(self) -> None:
        """Fetch what is missing, then check all of it on the disk. Raises `RegistryError`, `StoreError`."""
        if await in_thread(lambda: self._store.verify(self.digest)):  # another transfer has just ended
            self.arrive()
            return
        with self._store.partial(self.digest, self.total) as partial:
            resumed = any(part.completed for part in partial.parts)
            try:
                await self._fetch_and_publish(partial)
            except DigestMismatch:
                if not resumed:
                    raise
                log.warning("blob %s: what an earlier pull left was damaged, it is fetched anew", self.digest.short)
                resumed = False
            else:
                return
        with self._store.partial(self.digest, self.total) as partial:
            await self._fetch_and_publish(partial)

    async def _fetch_and_publish(self, partial: Partial) -> None:
        if not partial.parts:
            await in_thread(lambda: partial.plan(cut(self.total)))
        self.advance(_completed(partial))
        await self._fetch(partial)
        self.arrive()
        leaving = threading.Event()
        await in_thread(lambda: partial.publish(leaving.is_set), stop=leaving.set)

    async def _fetch(self, partial: Partial) -> None:
        for _ in range(self._patience.tries):
            try:
                await self._fetch_parts(partial)
            except NoRanges:
                log.info("blob %s: the registry sends it only as a whole", self.digest.short)
                await in_thread(lambda: partial.plan(whole(self.total)))
            else:
                return
        raise RegistryError("the registry sends blobs only as a whole, and the connection does not last for one")

    async def _fetch_parts(self, partial: Partial) -> None:
        slots = asyncio.Semaphore(PARALLEL)

        async def fetch(part: Part) -> None:
            async with slots:
                await self._fetch_part(partial, part)

        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch())
                await asyncio.gather(*(group.create_task(fetch(part)) for part in partial.parts if not part.done))
                watch.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _fetch_part(self, partial: Partial, part: Part) -> None:
        while not part.done:
            await tried(self._patience, self._fetch_some, partial, part)

    async def _fetch_some(self, partial: Partial, part: Part) -> None:
        """One request. Raises `Interrupted` only where it brought next to nothing."""
        before = part.completed
        try:
            async with self._repository.read(self.digest, self.total, part.position, part.stop) as pieces:
                async for piece in pieces:
                    await self._pace.spend(len(piece))
                    self._received += len(piece)
                    await in_thread(bind(_write, partial, part, piece))  # the next piece grows meanwhile
                    self.advance(_completed(partial))
        except Interrupted as error:
            if part.completed - before < self._patience.slow_bytes:
                raise
            log.info("blob %s, part %d goes on at %d: %s", self.digest.short, part.number, part.completed, error)

    async def _watch(self) -> None:
        """End a transfer that trickles: whoever reads notices a stall, but not a byte per second (threats T08)."""
        while True:
            before = self._received
            await asyncio.sleep(self._patience.slow_window_s)
            if self._received - before < self._patience.slow_bytes:
                raise RegistryError("the registry sends too slowly; what has arrived is kept, pull again to go on")


def _completed(partial: Partial) -> int:
    return sum(part.completed for part in partial.parts)


def _write(partial: Partial, part: Part, data: bytes) -> None:
    before = part.completed
    partial.write(part, data)
    if part.completed // _JOURNAL_STEP > before // _JOURNAL_STEP:
        partial.note(part)
