"""Models at rest: names → manifests → blobs, GGUF headers, pruning. The only room that touches the model folder."""

from puna.store.blobs import BlobWriter
from puna.store.config import Config
from puna.store.embedded import register_embedded
from puna.store.filetypes import FILE_TYPES, TENSOR_TYPES
from puna.store.gguf import GgufArray, GgufHeader, KvValue, TensorInfo, read_gguf_header
from puna.store.gojson import go_json
from puna.store.journal import Part
from puna.store.library import Store
from puna.store.manifest import MANIFEST_TYPE, MAX_MANIFEST, Layer, Manifest, MediaType
from puna.store.model import Model
from puna.store.partial import Partial
from puna.store.provenance import Provenance

__all__ = [
    "FILE_TYPES",
    "MANIFEST_TYPE",
    "MAX_MANIFEST",
    "TENSOR_TYPES",
    "BlobWriter",
    "Config",
    "GgufArray",
    "GgufHeader",
    "KvValue",
    "Layer",
    "Manifest",
    "MediaType",
    "Model",
    "Part",
    "Partial",
    "Provenance",
    "Store",
    "TensorInfo",
    "go_json",
    "read_gguf_header",
    "register_embedded",
]
