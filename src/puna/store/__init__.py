"""Models at rest: names → manifests → blobs, GGUF headers, pruning. The only room that touches the model folder."""

from puna.store.blobs import BlobWriter
from puna.store.config import Config
from puna.store.embedded import register_embedded
from puna.store.filetypes import FILE_TYPES, TENSOR_TYPES
from puna.store.gguf import GgufArray, GgufHeader, KvValue, TensorInfo, read_gguf_header
from puna.store.gojson import go_json
from puna.store.library import Store
from puna.store.manifest import Layer, Manifest, MediaType
from puna.store.model import Model

__all__ = [
    "FILE_TYPES",
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
    "Store",
    "TensorInfo",
    "go_json",
    "read_gguf_header",
    "register_embedded",
]
