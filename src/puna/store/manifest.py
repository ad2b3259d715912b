"""Manifests: the one file per model that names its blobs (contract ollama-store §2.3, §2.4). Bytes in, bytes out.

A manifest keeps the bytes it was read from, because the model's id is their hash. Reading is tolerant of key order,
blanks and unknown keys, and strict where two readers could see two different models (threats T01, T04).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn

from puna.errors import BadRequest
from puna.names import Digest
from puna.store.gojson import go_json

MAX_MANIFEST = 4_000_000  # bytes
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_ACCEPTED_TYPES = ("", MANIFEST_TYPE, "application/vnd.oci.image.manifest.v1+json")


class MediaType(StrEnum):
    """Layer types (§2.4). Unknown ones are kept and ignored, so `Layer.media_type` is any text."""

    MODEL = "application/vnd.ollama.image.model"
    PROJECTOR = "application/vnd.ollama.image.projector"
    ADAPTER = "application/vnd.ollama.image.adapter"
    DRAFT = "application/vnd.ollama.image.draft"
    TEMPLATE = "application/vnd.ollama.image.template"
    PROMPT = "application/vnd.ollama.image.prompt"  # legacy alias of TEMPLATE
    SYSTEM = "application/vnd.ollama.image.system"
    PARAMS = "application/vnd.ollama.image.params"
    MESSAGES = "application/vnd.ollama.image.messages"
    LICENSE = "application/vnd.ollama.image.license"
    TENSOR = "application/vnd.ollama.image.tensor"
    JSON = "application/vnd.ollama.image.json"
    EMBED = "application/vnd.ollama.image.embed"  # obsolete, ignored
    CONFIG = "application/vnd.docker.container.image.v1+json"


@dataclass(frozen=True, slots=True)
class Layer:
    """A descriptor: what kind of blob, which one, how many bytes. `source` is JSON's `from`, `name` a tensor's path."""

    media_type: str
    digest: Digest
    size: int
    source: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed manifest with the exact bytes it came from."""

    raw: bytes
    config: Layer | None  # None: the manifest names no config blob
    layers: tuple[Layer, ...]
    digest: Digest = field(init=False)  # the model's id: SHA-256 of `raw`

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", Digest(hashlib.sha256(self.raw).hexdigest()))

    @property
    def size(self) -> int:
        """Bytes of all layers and the config; a blob named twice counts twice (§2.7)."""
        return sum(layer.size for layer in self.layers) + (self.config.size if self.config else 0)

    @property
    def digests(self) -> tuple[Digest, ...]:
        """Every blob this model needs, each once, layers first."""
        named = [*self.layers, *([self.config] if self.config else [])]
        return tuple(dict.fromkeys(layer.digest for layer in named))

    def of_type(self, *types: MediaType) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.media_type in types)

    @classmethod
    def parse(cls, raw: bytes) -> Manifest:
        """Read manifest bytes. Raises `BadRequest` and, for a bad digest, its subclass `InvalidDigest`."""
        if len(raw) > MAX_MANIFEST:
            _invalid(f"{len(raw)} bytes are over the limit of {MAX_MANIFEST}")
        document = _parse_json(raw)
        if not isinstance(document, dict):
            _invalid("it must be a JSON object")
        if document.get("schemaVersion", 2) != 2:
            _invalid("schemaVersion must be 2")
        if document.get("mediaType", "") not in _ACCEPTED_TYPES:
            _invalid("unexpected mediaType")
        layers = document.get("layers")
        if not isinstance(layers, list | None):
            _invalid("layers must be a list")
        config = document.get("config")
        nameless = config is None or (isinstance(config, dict) and config.get("digest", "") == "")
        return cls(raw, None if nameless else _layer(config), tuple(map(_layer, layers or ())))

    @classmethod
    def build(cls, config: Layer | None, layers: Iterable[Layer]) -> Manifest:
        """A new manifest with the bytes that the reference would write."""
        layers = tuple(layers)
        empty = {"mediaType": "", "digest": "", "size": 0}
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(config) if config else empty,
            "layers": [_descriptor(layer) for layer in layers],
        }
        return cls(go_json(document), config, layers)


def _descriptor(layer: Layer) -> dict[str, object]:
    optional = {"from": layer.source, "name": layer.name}
    return {
        "mediaType": str(layer.media_type),
        "digest": str(layer.digest),
        "size": layer.size,
        **{key: value for key, value in optional.items() if value},
    }


def _layer(value: Any) -> Layer:
    if not isinstance(value, dict):
        _invalid("a layer must be a JSON object")
    texts = {key: value.get(key) for key in ("mediaType", "from", "name")}
    for key, text in texts.items():
        if not isinstance(text, str | None):
            _invalid(f"{key} of a layer must be a text")
    size = value.get("size", 0)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**63:
        _invalid("size of a layer must be a whole number of bytes")
    kind, source, name = (text or "" for text in texts.values())
    return Layer(kind, Digest.parse(value.get("digest")), size, source, name)


def _parse_json(raw: bytes) -> Any:
    try:
        return json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("invalid manifest: it is not readable JSON") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keys differing only in case count as equal: Go's reader takes either for the same field."""
    if len({key.casefold() for key, _ in pairs}) < len(pairs):
        _invalid("a key is given twice")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    _invalid(f"{name} is not JSON")


def _invalid(why: str) -> NoReturn:
    raise BadRequest(f"invalid manifest: {why}")
