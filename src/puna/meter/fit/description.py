"""What there is to know of a model before it runs: its GGUF header and its size, from wherever they can be had.

A `.gguf` file is read; a model that the server has is described by `/api/show`; any other one is looked at in its
registry, which costs its manifest and the first megabytes of its weights. Nothing of this is believed: headers are
bounded by the store's reader, and the server's answer is checked like one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from puna.client import ClientError, OllamaClient
from puna.errors import BadRequest, NotFound, PunaError
from puna.meter.fit.anatomy import Anatomy
from puna.meter.reading import Json, inner, number
from puna.names import ModelName
from puna.registry import Registries, glimpse
from puna.store import GgufHeader, Manifest, MediaType, TensorInfo, read_gguf_header

Source = Literal["file", "server", "registry"]

MAX_TENSORS, MAX_DIMENSION = 1 << 16, 1 << 40
_LOADED = (MediaType.MODEL, MediaType.PROJECTOR, MediaType.ADAPTER, MediaType.DRAFT)


@dataclass(frozen=True, slots=True)
class Description:
    name: str
    source: Source
    anatomy: Anatomy
    download: int | None = None  # bytes that a pull would fetch; None for a model that is here


def is_path(text: str) -> bool:
    """Whether a person means a file: no model's name ends so."""
    return text.lower().endswith(".gguf")


def from_file(path: Path) -> Description:
    """Raises `BadRequest` for what is no whole GGUF file, `NotFound`, `StoreError`."""
    if not path.exists():
        raise NotFound(f"there is no file {path.name}")
    header = read_gguf_header(path)
    parts = header.kv.get("split.count")
    if isinstance(parts, int) and parts > 1:
        raise BadRequest(f"{path.name} is one of {parts} parts of a model: join them first, or name the model")
    return Description(path.name, "file", Anatomy.of(header, path.stat().st_size))


async def from_server(client: OllamaClient, model: str) -> Description | None:
    """None where the server does not have the model. Raises `ClientError`, `BadRequest` for one without weights."""
    try:
        shown = await client.show(model)
        if not shown.get("tensors"):
            shown = await client.show(model, verbose=True)  # Ollama lists them only then
    except ClientError as error:
        if error.status == 404:
            return None
        raise
    return Description(model, "server", described(shown, await _size(client, model)))


async def from_registry(name: ModelName, registries: Registries, *, insecure: bool = False) -> Description:
    """Raises `PunaError` in the words of a pull: `Forbidden` for a registry that is not listed, `RegistryError`."""
    try:
        seen = await glimpse(name, registries, insecure=insecure)
    except NotFound:
        raise NotFound(f'model "{name.shortest}" is neither here nor in its registry') from None
    return Description(name.shortest, "registry", Anatomy.of(seen.header, _loaded(seen.manifest)), seen.manifest.size)


def described(shown: Mapping[str, Any], size: int) -> Anatomy:
    """From the answer of `/api/show`. Raises `BadRequest` where it says nothing of weights."""
    info = inner(dict(shown), "model_info")
    architecture = info.get("general.architecture")
    if not isinstance(architecture, str):
        raise BadRequest("the server says nothing about the weights of this model")
    tensors = tuple(_tensors(shown.get("tensors")))
    kept = {key: value for key, value in info.items() if isinstance(value, str | int | float)}
    count = number(info, "general.parameter_count") or 0
    return Anatomy.of(GgufHeader(3, "<", architecture, MappingProxyType(kept), tensors, count), size)


def _tensors(listed: object) -> Iterator[TensorInfo]:
    for each in listed[:MAX_TENSORS] if isinstance(listed, list) else ():
        name, kind, shape = (
            (each.get(key) for key in ("name", "type", "shape")) if isinstance(each, dict) else (0, 0, 0)
        )
        if isinstance(name, str) and isinstance(kind, str) and isinstance(shape, list) and _is_shape(shape):
            yield TensorInfo(name, kind, tuple(shape), 0)


def _is_shape(shape: list[object]) -> bool:
    return 0 < len(shape) <= 4 and all(type(each) is int and 0 < each < MAX_DIMENSION for each in shape)


async def _size(client: OllamaClient, model: str) -> int:
    """Of all files of the model, from the list of models; 0 where it is not in it."""
    wanted = ModelName.parse(model)
    return next((number(entry, "size") or 0 for entry in await client.tags() if _is(entry, wanted)), 0)


def _is(entry: Json, wanted: ModelName) -> bool:
    try:
        return ModelName.parse(str(entry.get("name"))) == wanted
    except PunaError:
        return False


def _loaded(manifest: Manifest) -> int:
    return sum(layer.size for layer in manifest.of_type(*_LOADED))
