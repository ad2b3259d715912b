"""One stored model as everything above sees it: names and texts in memory, big things as paths.

Contract ollama-store §2.4 and §2.6, ollama-http §3.2 and §3.4. A `Model` is a picture of one manifest; the catalog
keeps it for as long as the manifest's file stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from puna.errors import BadRequest, InvalidName, StoreError
from puna.names import Digest, ModelName
from puna.store.blobs import Blobs
from puna.store.config import Config
from puna.store.filetypes import UNKNOWN
from puna.store.gguf import GgufHeader
from puna.store.headers import Headers
from puna.store.layout import Layout
from puna.store.manifest import Layer, Manifest, MediaType
from puna.units import format_parameter_count

BlobFile = tuple[Digest, Path]


@dataclass(frozen=True, slots=True)
class Model:
    """Everything about one stored model.

    `weights` is None for stubs and tensor models (`weights_digest` None too) and when the weights' blob is missing.
    `header` is None with it, and for weights that are not readable GGUF.
    """

    name: ModelName
    manifest: Manifest
    modified_at_ns: int  # Unix time in ns, the manifest file's modification time
    config: Config
    header: GgufHeader | None
    template: str | None  # Go template layer; None = the GGUF's own Jinja template is used
    system: str
    params: Mapping[str, object]
    messages: tuple[Mapping[str, Any], ...]
    licenses: tuple[str, ...]
    weights: Path | None
    weights_digest: Digest | None
    adapters: tuple[BlobFile, ...]
    projectors: tuple[BlobFile, ...]
    draft: BlobFile | None
    projector_header: GgufHeader | None  # of the first projector

    @property
    def digest(self) -> Digest:
        """The model's id."""
        return self.manifest.digest

    @property
    def size(self) -> int:
        return self.manifest.size

    @property
    def complete(self) -> bool:
        """All GGUF parts that the manifest names could be read."""
        weights = self.weights_digest is None or self.header is not None
        return weights and (not self.projectors or self.projector_header is not None)

    @property
    def jinja_template(self) -> str | None:
        """The chat template inside the GGUF, if it is a text."""
        value = self.header.get("tokenizer.chat_template") if self.header else None
        return value if isinstance(value, str) and value else None

    @property
    def parent_model(self) -> str:
        """The model this one was made from. Old stores put file paths here; those are nobody's business (T03)."""
        layers = self.manifest.of_type(MediaType.MODEL)
        source = layers[-1].source if layers else ""
        try:
            ModelName.parse(source)
        except InvalidName:
            return ""
        return source

    @property
    def details(self) -> dict[str, object]:
        """`details` of `/api/show`; config values win over the header's (§2.6)."""
        config, header = self.config, self.header
        count = format_parameter_count(header.parameter_count) if header else ""
        quantization = config.file_type
        if quantization in ("", UNKNOWN) and header is not None:
            quantization = header.file_type
        return {
            "parent_model": self.parent_model,
            "format": config.model_format or ("gguf" if header else ""),
            "family": config.model_family or (header.architecture if header else ""),
            "families": list(config.model_families) or None,
            "parameter_size": config.model_type or count,
            "quantization_level": quantization,
        }

    @property
    def lengths(self) -> dict[str, int]:
        """`context_length` and `embedding_length` as far as known, in tokens and dimensions."""
        header = self.header
        known = {
            "context_length": self.config.context_length or (header.get_int("context_length") if header else 0),
            "embedding_length": self.config.embedding_length or (header.get_int("embedding_length") if header else 0),
        }
        return {key: value for key, value in known.items() if value}


class ModelReader:
    """Reads the blobs that a manifest names into a `Model`."""

    def __init__(self, layout: Layout, blobs: Blobs, headers: Headers) -> None:
        self._layout = layout
        self._blobs = blobs
        self._headers = headers

    def read(self, name: ModelName, manifest: Manifest, modified_at_ns: int) -> Model:
        """Raises `NotFound`, `StoreError` or `BadRequest` when a text or JSON blob is missing or damaged."""
        weights = self._last(manifest, MediaType.MODEL)
        projectors = self._files(manifest, MediaType.PROJECTOR)
        template = self._last(manifest, MediaType.TEMPLATE, MediaType.PROMPT)
        system = self._last(manifest, MediaType.SYSTEM)
        drafts = self._files(manifest, MediaType.DRAFT)
        present = weights is not None and self._blobs.has(weights.digest)
        return Model(
            name=name,
            manifest=manifest,
            modified_at_ns=modified_at_ns,
            config=Config.parse(self._blobs.read(manifest.config.digest)) if manifest.config else Config(),
            header=self._headers.of(weights.digest) if weights and present else None,
            template=self._text(template) if template else None,
            system=self._text(system) if system else "",
            params=MappingProxyType(self._params(manifest)),
            messages=self._messages(manifest),
            licenses=tuple(self._text(layer) for layer in manifest.of_type(MediaType.LICENSE)),
            weights=self._layout.blob(weights.digest) if weights and present else None,
            weights_digest=weights.digest if weights else None,
            adapters=self._files(manifest, MediaType.ADAPTER),
            projectors=projectors,
            draft=drafts[-1] if drafts else None,
            projector_header=self._headers.of(projectors[0][0]) if projectors else None,
        )

    def _last(self, manifest: Manifest, *types: MediaType) -> Layer | None:
        layers = manifest.of_type(*types)
        return layers[-1] if layers else None

    def _files(self, manifest: Manifest, kind: MediaType) -> tuple[BlobFile, ...]:
        return tuple((layer.digest, self._layout.blob(layer.digest)) for layer in manifest.of_type(kind))

    def _text(self, layer: Layer) -> str:
        return self._blobs.read(layer.digest).decode(errors="replace")

    def _params(self, manifest: Manifest) -> dict[str, object]:
        value = self._json(manifest, MediaType.PARAMS)
        if not isinstance(value, dict | None):
            raise StoreError("the params of a model are not a JSON object")
        return value or {}

    def _messages(self, manifest: Manifest) -> tuple[Mapping[str, Any], ...]:
        value = self._json(manifest, MediaType.MESSAGES)
        if not isinstance(value, list | None) or not all(isinstance(item, dict) for item in value or ()):
            raise StoreError("the messages of a model are not a JSON list of objects")
        return tuple(value or ())

    def _json(self, manifest: Manifest, kind: MediaType) -> Any:
        layer = self._last(manifest, kind)
        if layer is None:
            return None
        try:
            return orjson.loads(self._blobs.read(layer.digest))
        except orjson.JSONDecodeError as error:
            raise BadRequest("a layer of the model is not readable JSON") from error
