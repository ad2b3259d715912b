"""What a model in a registry is, without pulling it: its manifest and the header of its weights.

A header says nothing about its own length, so growing beginnings of the file are fetched until one holds it. What has
arrived stands at the front of a sparse file of the blob's full size: the reader of headers then checks the tensors
against that size, as it does after a pull. Nothing of it can be hashed, so it is believed for a prediction only.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from puna.errors import BadRequest, RegistryError
from puna.names import ModelName
from puna.registry.egress import Egress
from puna.registry.hosts import Registries
from puna.registry.identity import Identity
from puna.registry.patience import Patience
from puna.registry.repository import Repository
from puna.registry.threads import in_thread
from puna.store import GgufHeader, Layer, Manifest, MediaType, read_gguf_header

STEPS = (1 << 20, 4 << 20, 16 << 20, 64 << 20)
"""Bytes of a blob to have. A vocabulary of 262,144 tokens with its merges takes about 16 MB."""

_MAGIC = (b"GGUF", b"FUGG")
_STEP_S = 240  # for one step: 64 MiB by a line of two megabits per second
_SPARSE = 1 << 42  # bytes; larger blobs are no model that anybody could run, and no file system would take the file


@dataclass(frozen=True, slots=True)
class Glimpse:
    manifest: Manifest
    header: GgufHeader
    fetched: int  # bytes of the weights


async def glimpse(
    name: ModelName,
    registries: Registries,
    *,
    insecure: bool = False,
    patience: Patience = Patience(),  # noqa: B008 (frozen)
) -> Glimpse:
    """Raises `Forbidden` for a registry that is not listed, `NotFound`, `RegistryError` as a pull does."""
    origin = registries.origin_of(name, insecure=insecure)
    async with Egress(registries, patience=patience) as egress:
        repository = Repository(egress, origin, name, Identity(Path.home() / ".ollama"))
        manifest = await repository.manifest()
        weights = manifest.of_type(MediaType.MODEL)
        if not weights:
            raise RegistryError("this model has no GGUF weights, which is what Puna runs")
        header, fetched = await _header(repository, weights[0])
        return Glimpse(manifest, header, fetched)


async def _header(repository: Repository, layer: Layer) -> tuple[GgufHeader, int]:
    if layer.size > _SPARSE:
        raise RegistryError("the manifest names weights that are too large to be a model")
    most = min(STEPS[-1], layer.size)
    with tempfile.NamedTemporaryFile(prefix="puna-glimpse-") as file:
        file.truncate(layer.size)
        have = 0
        for step in STEPS:
            await _fetch(repository, layer, file, have, want := min(step, layer.size))
            if have == 0:
                file.seek(0)
                if file.read(len(_MAGIC[0])) not in _MAGIC:
                    raise RegistryError("invalid GGUF file: magic: this is not a GGUF file")
            have = want
            header = await in_thread(partial(_whole, Path(file.name), have, last=have == most))
            if header is not None:
                return header, have
            if have == most:
                break
    raise RegistryError(f"the header of this model's weights is over the limit of {STEPS[-1] >> 20} MiB")


async def _fetch(repository: Repository, layer: Layer, file: IO[bytes], start: int, stop: int) -> None:
    file.seek(start)
    try:
        async with asyncio.timeout(_STEP_S), repository.read(layer.digest, layer.size, start, stop) as pieces:
            async for piece in pieces:
                file.write(piece)
    except TimeoutError:
        raise RegistryError("the registry sends too slowly") from None
    file.flush()


def _whole(path: Path, have: int, *, last: bool) -> GgufHeader | None:
    """The header, None where it may go on behind the first `have` bytes. Raises `RegistryError` for a bad one."""
    try:
        header = read_gguf_header(path)
    except BadRequest as error:
        if last:
            raise RegistryError(error.message) from None
        return None  # what has not arrived reads as zeros
    ends = min((tensor.offset for tensor in header.tensors), default=have + 1)  # tensors begin where the header ends
    return header if ends <= have else None
