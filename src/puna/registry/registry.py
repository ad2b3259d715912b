"""Models on the move: the one door for pull, push, verify and the question what is out of date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from puna.errors import Busy, Forbidden, NotFound, PunaError, StoreError
from puna.names import Digest, ModelName
from puna.progress import Progress
from puna.registry.egress import Egress
from puna.registry.hosts import Registries
from puna.registry.identity import Identity
from puna.registry.pace import Pace
from puna.registry.patience import Patience
from puna.registry.pull import Downloads, pull
from puna.registry.push import Uploads, push
from puna.registry.repository import Repository
from puna.registry.verify import Verifier
from puna.settings import Settings
from puna.store import Store

log = logging.getLogger(__name__)

MAX_CALLERS = 64  # pulls and pushes at once (threats T23)
_QUESTIONS = 4  # manifests asked for at once


@dataclass(frozen=True, slots=True)
class Outdated:
    """A pulled model that is not what its registry has now: `newest` says what that is, or `error` why nobody knows."""

    name: ModelName
    digest: Digest
    newest: Digest | None
    error: str = ""


class Registry:
    """Async context manager. The generators raise `PunaError`; close them (`aclosing`) to leave."""

    def __init__(
        self,
        store: Store,
        registries: Registries,
        identity: Identity,
        *,
        rate: int = 0,
        patience: Patience = Patience(),  # noqa: B008 (frozen)
    ) -> None:
        self._store = store
        self._registries = registries
        self._identity = identity
        self._egress = Egress(registries, patience=patience)
        self._downloads = Downloads(store, pace=Pace(rate), patience=patience)
        self._uploads = Uploads(store, patience=patience)
        self._verifier = Verifier(store, self._downloads)
        self._callers = 0

    @classmethod
    def build(cls, store: Store, settings: Settings) -> Self:
        """Raises `BadRequest` where a list of registries cannot be read."""
        registries = Registries.parse(settings.registries, settings.push_registries)
        return cls(store, registries, Identity(Path.home() / ".ollama"), rate=settings.pull_rate)

    async def __aenter__(self) -> Self:
        await self._egress.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._egress.__aexit__(kind, error, trace)

    def pull(self, name: ModelName, *, insecure: bool = False) -> AsyncGenerator[Progress]:
        """Bring a model here or up to date; `name` as the store spells it, where it is there.

        Raises `Forbidden` at once for a registry that is not on the list.
        """
        repository = self._repository(name, insecure=insecure)
        return self._counted(pull(self._store, self._downloads, repository))

    def push(self, name: ModelName, *, insecure: bool = False) -> AsyncGenerator[Progress]:
        """Send a model to the registry that its name says; `name` as the store spells it.

        Raises `Forbidden` at once where pushing there is not turned on.
        """
        origin = self._registries.push_origin_of(name, insecure=insecure)
        repository = Repository(self._egress, origin, name, self._identity)
        return self._counted(push(self._store, self._uploads, repository))

    def verify(
        self, name: ModelName | None, *, repair: bool = False, insecure: bool = False
    ) -> AsyncGenerator[Progress]:
        """Hash the blobs of one model or of all, whatever is known of them; `repair` fetches damaged ones again."""
        repository_of = partial(self._repository, insecure=insecure) if repair else None
        return self._counted(self._verifier.verify(None if name is None else [name], repository_of))

    async def outdated(self, names: Sequence[ModelName] | None = None) -> list[Outdated]:
        """Those of the pulled models (of `names`, if given) that their registries have another version of."""
        wanted = await asyncio.to_thread(self._pulled, names)
        slots = asyncio.Semaphore(_QUESTIONS)

        async def ask(name: ModelName, digest: Digest) -> Outdated | None:
            async with slots:
                try:
                    newest = (await self._repository(name).manifest()).digest
                except PunaError as error:
                    return Outdated(name, digest, None, error.message)
            return Outdated(name, digest, newest) if newest != digest else None

        answers = await asyncio.gather(*(ask(name, digest) for name, digest in wanted))
        return [answer for answer in answers if answer is not None]

    def _repository(self, name: ModelName, *, insecure: bool = False) -> Repository:
        try:
            origin = self._registries.origin_of(name, insecure=insecure)
        except Forbidden:
            log.warning("refused to talk to registry %s, which PUNA_REGISTRIES does not list", name.host)
            raise
        return Repository(self._egress, origin, name, self._identity)

    def _pulled(self, names: Sequence[ModelName] | None) -> list[tuple[ModelName, Digest]]:
        """Names and manifest digests of models that came from a registry under the name that they have here."""
        pulled = []
        for name in self._store.names() if names is None else map(self._store.resolve, names):
            try:
                digest = self._store.find(name).digest
                came = self._store.is_pulled(name)
            except (NotFound, StoreError):  # deleted meanwhile, or damaged: `verify` is for that
                if names is not None:
                    raise
                continue
            provenance = self._store.provenance(digest)
            if came and (provenance is None or provenance.name == name):
                pulled.append((name, digest))
        return pulled

    async def _counted(self, steps: AsyncGenerator[Progress]) -> AsyncGenerator[Progress]:
        if self._callers >= MAX_CALLERS:
            raise Busy
        self._callers += 1
        try:
            async with aclosing(steps):
                async for step in steps:
                    yield step
        finally:
            self._callers -= 1
