"""`puna create`: a Modelfile and the files it names become a model (contract ollama-store §4, §6.2)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from puna.cli.connection import reached
from puna.cli.progress import Progress
from puna.cli.terminal import note
from puna.client.client import OllamaClient
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError
from puna.errors import BadRequest, InvalidName, NotFound
from puna.modelfile.gather import Gathered, gather, read_modelfile
from puna.modelfile.parser import parse_modelfile
from puna.names import Digest, ModelName

DEFAULT_FILE = Path("Modelfile")
WITHOUT_MODELFILE = b"FROM .\n"
_PIECE = 1 << 20  # bytes


def create(model: str, file: Path | None, quantize: str = "", draft_quantize: str = "") -> int:
    """Upload what the Modelfile names and the server lacks, then let the server build the model."""
    try:
        ModelName.parse(model)
    except InvalidName:
        raise BadRequest(f"invalid model name: {model}") from None
    path = file or DEFAULT_FILE
    modelfile = parse_modelfile(_read(path, given=file is not None))
    endpoint = reached()
    with Progress() as progress:
        progress.status("gathering model components")
        found = gather(modelfile, path.parent.absolute())
        choices = {"quantize": quantize, "draft_quantize": draft_quantize}
        asyncio.run(_create(endpoint, model, found, {k: v for k, v in choices.items() if v}, progress))
    return 0


def _read(path: Path, *, given: bool) -> bytes:
    """The Modelfile's bytes; without one in this folder, the folder itself is the model. Raises `BadRequest`."""
    try:
        return read_modelfile(path)
    except FileNotFoundError:
        if given:
            raise BadRequest("specified Modelfile wasn't found") from None
        return WITHOUT_MODELFILE
    except OSError as error:
        raise BadRequest(f"the Modelfile cannot be read: {error.strerror}") from None


async def _create(
    endpoint: Endpoint, model: str, found: Gathered, choices: Mapping[str, str], progress: Progress
) -> None:
    for warning in found.warnings:
        note(warning)
    async with OllamaClient(endpoint) as client:
        request: dict[str, Any] = {"model": model, **found.body(), **choices}
        for key in ("files", "adapters", "draft_files"):
            if paths := getattr(found, key):
                request[key] = {name: str(await _upload(client, path, progress)) for name, path in paths.items()}
        try:
            async with aclosing(client.create(request)) as lines:
                async for line in lines:
                    progress.show(line)
        except ClientError:
            if found.base and not await _knows(client, found.base):  # most often a misspelt path
                raise NotFound(f"FROM {found.base}: no such file beside the Modelfile, and no such model") from None
            raise


async def _knows(client: OllamaClient, model: str) -> bool:
    try:
        await client.show(model)
    except ClientError as error:
        return error.status not in (400, 404)
    return True


async def _upload(client: OllamaClient, path: Path, progress: Progress) -> Digest:
    """Make sure that the server has the file. Raises `ClientError`, `OSError`."""
    digest, size = await asyncio.to_thread(_measure, path)
    if await client.has_blob(digest):
        return digest
    label = f"copying file {digest}"
    progress.status(f"{label} 0%")
    await client.upload_blob(
        path, digest, lambda sent: progress.status(f"{label} {sent * 100 // max(1, size)}%", replace=True)
    )
    progress.status(f"{label} 100%", replace=True)
    return digest


def _measure(path: Path) -> tuple[Digest, int]:
    """Digest and size in bytes of a file."""
    hasher, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            hasher.update(piece)
            size += len(piece)
    return Digest(hasher.hexdigest()), size
