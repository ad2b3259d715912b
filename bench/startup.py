"""How long a person waits for short commands and for the list of models, in units of `python -c ''`.

The server holds a thousand models, each with weights, config and template of its own digest, as far as the server can
tell: the weights are one file under a thousand names. Everything runs with this environment's Python and its `site`,
as `puna` does; commands take turns.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from tests import tiny_models
from tests.servers import Server

from bench.figures import Figure
from puna.names import Digest, ModelName
from puna.store import Config, Layer, Manifest, MediaType

MODELS = 1000

Command = Sequence[str]

_PYTHON: Command = (sys.executable, "-c", "")
_PUNA = str(Path(sys.executable).with_name("puna"))


def measure(*, turns: int, starts: int) -> list[Figure]:
    """`turns` of every command beside each other; `starts` servers for the first list of each."""
    with TemporaryDirectory(prefix="puna-bench-") as folder:
        models = Path(folder, "models")
        _fill(models, tiny_models.tiny_llama(tiny_models.cache_folder()))
        first: list[float] = []
        first_base: list[float] = []
        for _ in range(starts):
            with Server(models, Path(folder, "home")) as server:
                first.append(_list_ms(server))
                first_base.append(_run_ms(_PYTHON, server))
        with Server(models, Path(folder, "home")) as server:
            _list_ms(server)
            columns = [
                (_run_ms(_PYTHON, server), _run_ms((_PUNA, "--version"), server), _run_ms((_PUNA, "list"), server),
                 _list_ms(server))
                for _ in range(turns)
            ]  # fmt: skip
    python, version, listing, again = zip(*columns, strict=True)
    many = f"{MODELS} models"
    return [
        Figure("puna --version ÷ python -c ''", "server running", "ratio", "ms", version, python),
        Figure("puna list ÷ python -c ''", many, "ratio", "ms", listing, python),
        Figure("/api/tags ÷ python -c ''", many, "ratio", "ms", again, python),
        Figure("/api/tags ÷ python -c ''", f"{many}, first time after a start", "ratio", "ms", first, first_base),
    ]


def _list_ms(server: Server) -> float:
    """One `/api/tags` on a new connection, to the last byte."""
    began = perf_counter()
    answer = server.get("/api/tags")
    milliseconds = (perf_counter() - began) * 1000
    assert answer.body.count(b'"digest"') == MODELS, answer.body[:1000]
    return milliseconds


def _run_ms(command: Command, server: Server) -> float:
    environment = {"PATH": os.environ["PATH"], "HOME": str(server.home), "PUNA_HOST": server.url}
    began = perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return (perf_counter() - began) * 1000


def _fill(root: Path, weights: Path) -> None:
    """Ollama's folder layout, written without the store: its thousand fsyncs are not what is measured."""
    blobs = root / "blobs"
    blobs.mkdir(parents=True)
    for number in range(MODELS):
        name = ModelName.parse(f"bench/model-{number:04}:latest")
        model = Layer(MediaType.MODEL, Digest.parse(f"sha256:{number:064x}"), weights.stat().st_size)
        os.link(weights, _blob(blobs, model))
        template = _put(blobs, MediaType.TEMPLATE, f"Model {number}: {{{{ .Prompt }}}}".encode())
        config = Config(model_format="gguf", model_family="llama", model_type=f"{number}M")
        manifest = Manifest.build(_put(blobs, MediaType.CONFIG, config.to_bytes()), [model, template])
        path = root.joinpath("manifests", *name.parts)
        path.parent.mkdir(parents=True)
        path.write_bytes(manifest.raw)


def _put(blobs: Path, kind: MediaType, data: bytes) -> Layer:
    layer = Layer(kind, Digest.parse(f"sha256:{hashlib.sha256(data).hexdigest()}"), len(data))
    _blob(blobs, layer).write_bytes(data)
    return layer


def _blob(blobs: Path, layer: Layer) -> Path:
    return blobs / f"sha256-{layer.digest.hex}"
