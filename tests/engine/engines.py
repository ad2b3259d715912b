"""A whole engine with a store of its own, and the packaged and tiny models in it, some under a Go template."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from puna.engine import Chunk, Engine
from puna.engine.effects import Processes
from puna.engine.policy import Limits
from puna.engine.requests import ChatRequest, GenerateRequest
from puna.engine.runner import Launch
from puna.engine.scheduler import Scheduler
from puna.engine.subject import Subject
from puna.environment import child_environment
from puna.names import ModelName
from puna.store import Config, Layer, Manifest, MediaType, Store, go_json, read_gguf_header

PARAMS = {"num_ctx": 2048, "num_thread": 1}  # the engine's threads spin: on a busy machine one is faster than two


@dataclass(frozen=True)
class Told:
    """What came of a request: its chunks together, and what the answer says of the prompt."""

    chunks: list[Chunk]
    dropped_tokens: int
    rendered: str | None

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self.chunks)


@dataclass(frozen=True)
class House:
    store: Store
    engine: Engine

    def subject(self, name: str) -> Subject:
        return self.engine.subject(name, self.store.model(ModelName.parse(name)))

    def add(self, name: str, weights: Path, *, template: str | None = None, system: str | None = None) -> None:
        digest, _ = self.store.adopt(weights)
        layers = [Layer(MediaType.MODEL, digest, self.store.blob_size(digest))]
        texts = ((MediaType.TEMPLATE, template), (MediaType.SYSTEM, system))
        layers += [self._put(kind, text.encode()) for kind, text in texts if text is not None]
        layers.append(self._put(MediaType.PARAMS, go_json(PARAMS)))
        config = self._put(MediaType.CONFIG, Config.from_header(read_gguf_header(weights)).to_bytes())
        self.store.write_manifest(ModelName.parse(name), Manifest.build(config, layers))

    def _put(self, kind: MediaType, data: bytes) -> Layer:
        digest, _ = self.store.put_blob(data)
        return Layer(kind, digest, len(data))

    async def chat(self, name: str, ask: ChatRequest) -> Told:
        """Through the same gate as the faces."""
        subject = self.subject(name)
        subject.check_chat(ask)
        async with self.engine.chat(subject, ask) as answer:
            return Told([c async for batch in answer.batches for c in batch], answer.dropped_tokens, answer.rendered)

    async def generate(self, name: str, ask: GenerateRequest) -> Told:
        async with self.engine.generate(self.subject(name), ask) as answer:
            return Told([c async for batch in answer.batches for c in batch], answer.dropped_tokens, answer.rendered)


@asynccontextmanager
async def house(models: Mapping[str, Path]) -> AsyncIterator[House]:
    """An engine at work on `models`; its sockets and its store are gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="puna-test-"))
    try:
        store = Store(folder / "models")
        store.start()
        scheduler = Scheduler(
            Processes(Launch(environment=child_environment()), folder), Limits(num_parallel=2, max_loaded_models=9)
        )
        async with Engine(store, scheduler) as engine:
            made = House(store, engine)
            for name, weights in models.items():
                made.add(name, weights)
            yield made
    finally:
        shutil.rmtree(folder)
