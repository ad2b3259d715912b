"""Models for tests, put into a store the way a pull or a create does it."""

from __future__ import annotations

import os
from pathlib import Path

from puna.names import ModelName
from puna.store import Config, Layer, Manifest, MediaType, Store, go_json
from tests.store.gguf_files import gguf_bytes

HOUR = 3600


def name_of(text: str) -> ModelName:
    return ModelName.parse(text)


def layer(store: Store, kind: MediaType, data: bytes, *, source: str = "") -> Layer:
    digest, _ = store.put_blob(data)
    return Layer(kind, digest, len(data), source)


def add_model(
    store: Store,
    name: str,
    *,
    weights: bytes | None = None,
    template: str | None = None,
    system: str | None = None,
    params: dict[str, object] | None = None,
    config: Config | None = None,
    extra: tuple[Layer, ...] = (),
) -> Manifest:
    """Store a model; without `weights` it shares the same small GGUF with all others."""
    layers = [layer(store, MediaType.MODEL, gguf_bytes() if weights is None else weights)]
    texts = ((MediaType.TEMPLATE, template), (MediaType.SYSTEM, system))
    layers += [layer(store, kind, text.encode()) for kind, text in texts if text is not None]
    if params is not None:
        layers.append(layer(store, MediaType.PARAMS, go_json(params)))
    blob = layer(store, MediaType.CONFIG, (config or Config(model_format="gguf", model_family="llama")).to_bytes())
    manifest = Manifest.build(blob, [*layers, *extra])
    store.write_manifest(name_of(name), manifest)
    return manifest


def manifest_path(store: Store, name: str) -> Path:
    return store.root.joinpath("manifests", *name_of(name).parts)


def make_older(path: Path, seconds: float) -> None:
    status = path.lstat()
    os.utime(path, (status.st_atime - seconds, status.st_mtime - seconds), follow_symlinks=False)


def blob_files(store: Store) -> set[str]:
    return {path.name for path in (store.root / "blobs").iterdir()}
