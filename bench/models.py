"""The two models that are measured, a store that holds them, and a real server with one of them in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import tiny_models
from tests.servers import Server

from puna.engine.options import merge_options
from puna.engine.types import ChatCompletion
from puna.names import ModelName
from puna.prompts import Message
from puna.store import Model, Store

CONTEXT = 2048  # tokens per slot; fixed, so that free memory does not choose it
GREETING = "Hello."


@dataclass(frozen=True, slots=True)
class Subject:
    """A model under test. `length` is how many tokens every answer has: neither model ends these by itself."""

    name: str
    length: int


TINY = Subject("tiny", 256)  # 2 layers of random weights: the engine is so fast that the gateway shows
SMOLLM2 = Subject("smollm2:135m", 64)  # what a person would run
SUBJECTS = (TINY, SMOLLM2)


@dataclass(frozen=True, slots=True)
class Home:
    """A folder of this run's own: the store, the servers' logs and the engine's sockets."""

    folder: Path

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def sockets(self) -> Path:
        return self.folder / "run"

    def server(self, *, slots: int, context: int = CONTEXT) -> Server:
        environment = {
            "PUNA_NUM_PARALLEL": str(slots),
            "PUNA_CONTEXT_LENGTH": str(context),
            "PUNA_KEEP_ALIVE": "-1",  # the bare rounds pass the server by: it must not unload what they use
            "PUNA_RUNTIME_DIR": str(self.sockets),
        }
        return Server(self.models, self.folder / "home", environment)

    @contextmanager
    def serving(self, subject: Subject, *, slots: int, context: int = CONTEXT) -> Iterator[Server]:
        """A server that has answered once, so that the model is in memory."""
        with self.server(slots=slots, context=context) as server:
            answer = server.post("/api/chat", {**chat(subject, GREETING), "stream": False})
            assert answer.status == 200, answer.body
            yield server

    def runner_socket(self) -> Path:
        """The socket of the only runner of the only server."""
        (path,) = self.sockets.glob("*.sock")
        return path

    def stored(self, subject: Subject) -> Model:
        return Store(self.models).model(ModelName.parse(subject.name))


@contextmanager
def new_home() -> Iterator[Home]:
    """A home whose store has both models, made by the server itself."""
    with TemporaryDirectory(prefix="puna-bench-") as folder:
        home = Home(Path(folder))
        with home.server(slots=1) as server:  # it registers the packaged model in the empty store
            server.create(TINY.name, tiny_models.tiny_llama(tiny_models.cache_folder()))
        yield home


def chat(subject: Subject, text: str, length: int | None = None) -> dict[str, object]:
    """The body of `/api/chat`: greedy, a fixed number of tokens."""
    messages = [{"role": "user", "content": text}]
    return {"model": subject.name, "messages": messages, "options": _options(subject, length)}


def runner_chat(model: Model, subject: Subject, text: str, length: int | None = None) -> ChatCompletion:
    """What the server makes of `chat` for its runner."""
    sampling = merge_options(model.params, _options(subject, length))[1]
    return ChatCompletion([Message("user", text)], sampling)


def _options(subject: Subject, length: int | None) -> dict[str, object]:
    return {"temperature": 0, "seed": 1, "num_predict": length or subject.length}
