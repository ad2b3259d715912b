"""Make a model from another one or from uploaded GGUF files (contract ollama-store §4.1, §4.2).

Nothing of the target changes before its manifest is written, last of all and in one step. What a create has stored is
removed again when it fails or is cancelled; what the caller uploaded stays for the next attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from puna.errors import BadRequest, Forbidden, NotFound, PunaError, StoreError
from puna.modelfile.recipe import config_of, text_blobs
from puna.modelfile.request import Checked, CreateRequest, check_request
from puna.modelfile.weights import Weights, quantised, read_files
from puna.modelfile.workspace import Workspace
from puna.names import Digest, ModelName, Source, split_source
from puna.progress import Progress
from puna.store import Config, GgufHeader, Layer, Manifest, MediaType, Model, Store

log = logging.getLogger(__name__)


def create_model(store: Store, request: CreateRequest, *, quantizer: Path | None = None) -> Iterator[Progress]:
    """Create `request.target`; the last step has the status `success`. Blocks on the disk: drive it in a thread.

    Mistakes in the request itself are raised before the first step. Closing the iterator cancels the create.
    `quantizer` is the path of llama.cpp's `llama-quantize`. Raises `BadRequest`, `PunaError`, `StoreError`.
    """
    checked = check_request(request)
    base = _find_base(store, request.base) if request.base else None
    with Workspace(store) as workspace:
        workspace.hold((*checked.files.values(), *checked.adapters.values(), *checked.draft_files.values()))
        if base is not None:
            workspace.hold(base.manifest.digests)
        layers, header = yield from _model_layers(workspace, checked, base, quantizer)
        layers += yield from _adapter_layers(workspace, checked.adapters)
        layers += yield from _draft_layers(workspace, checked, quantizer)
        layers += [workspace.put(*blob) for blob in text_blobs(request, checked, base, header)]
        layers = _without_replaced(layers)
        yield Progress("verifying conversion")
        for layer in layers:
            act = "creating new" if layer.digest in workspace.created else "using existing"
            yield Progress(f"{act} layer {layer.digest}")
        yield Progress("writing manifest")
        _publish(store, workspace, request.target, config_of(request, checked, base, header), layers)
    yield Progress("success")


def missing_base(store: Store, request: CreateRequest) -> ModelName | None:
    """The model that has to be pulled before `create_model` can start from it; None where all is here.

    Mistakes in the request are raised before anybody downloads anything for it, as in `create_model`.
    """
    check_request(request)
    if not request.base:
        return None
    name = store.resolve(_base_name(request.base))
    try:
        store.find(name)
    except NotFound:
        return name
    return None


def _base_name(text: str) -> ModelName:
    """The name in `from`. Raises `BadRequest`, `Forbidden`."""
    base, source = split_source(text)
    if source is Source.CLOUD:
        raise Forbidden("ollama cloud is disabled: remote model is unavailable")
    return ModelName.parse(base)


def _find_base(store: Store, text: str) -> Model:
    """The stored model that `from` names. Raises `BadRequest`, `Forbidden`, and `PunaError` when it is not here."""
    try:
        return store.model(_base_name(text))
    except NotFound:
        raise PunaError("pull model manifest: file does not exist") from None


def _model_layers(
    workspace: Workspace, checked: Checked, base: Model | None, quantizer: Path | None
) -> Generator[Progress, None, tuple[list[Layer], GgufHeader | None]]:
    """The layers that the base or the files give, and the header of the weights."""
    if base is not None:
        source = base.name.shortest
        layers = [replace(layer, source=source) for layer in base.manifest.layers]
        header = base.header
    else:
        found = yield from read_files(workspace, checked.files)
        layers = [weights.layer for weights in found]
        headers = [weights.header for weights in found if weights.layer.media_type == MediaType.MODEL]
        if len(headers) != 1:
            raise BadRequest(f"the files hold {len(headers)} models, give exactly one")
        header = headers[0]
    if not checked.quantize:
        return layers, header
    if header is None:
        raise PunaError("quantization is only supported for F16, BF16 and F32 models")
    at = next(at for at, layer in reversed(list(enumerate(layers))) if layer.media_type == MediaType.MODEL)
    weights = yield from quantised(workspace, Weights(layers[at], header), checked.quantize, quantizer)
    layers[at] = weights.layer
    return layers, weights.header


def _adapter_layers(workspace: Workspace, files: Mapping[str, Digest]) -> Generator[Progress, None, list[Layer]]:
    found = yield from read_files(workspace, files)
    if any(weights.layer.media_type != MediaType.ADAPTER for weights in found):
        raise BadRequest("the adapter is not a LoRA adapter in GGUF format")
    return [weights.layer for weights in found]


def _draft_layers(
    workspace: Workspace, checked: Checked, quantizer: Path | None
) -> Generator[Progress, None, list[Layer]]:
    found = yield from read_files(workspace, checked.draft_files)
    layers = []
    for weights in found:
        if weights.layer.media_type != MediaType.MODEL:
            raise BadRequest("the draft is not a model in GGUF format")
        if checked.draft_quantize:
            weights = yield from quantised(workspace, weights, checked.draft_quantize, quantizer)
        layers.append(replace(weights.layer, media_type=MediaType.DRAFT))
    return layers


def _without_replaced(layers: list[Layer]) -> list[Layer]:
    """Where a model has at most one layer of a kind (§2.4), an inherited one gives way to a new one."""
    new = {layer.media_type for layer in layers if not layer.source}
    gone = new & {MediaType.TEMPLATE, MediaType.SYSTEM, MediaType.PARAMS, MediaType.MESSAGES, MediaType.DRAFT}
    if MediaType.TEMPLATE in gone:
        gone.add(MediaType.PROMPT)  # its old name
    return [layer for layer in layers if not (layer.source and layer.media_type in gone)]


def _publish(store: Store, workspace: Workspace, target: ModelName, config: Config, layers: list[Layer]) -> None:
    """Write the manifest, then remove what only the old model of that name needed, and intermediate blobs (§2.8)."""
    name = store.resolve(target)
    old = _blobs_of(store, name)
    manifest = Manifest.build(workspace.put(MediaType.CONFIG, config.to_bytes()), layers)
    store.write_manifest(name, manifest)
    store.prune((old | workspace.created) - set(manifest.digests))


def _blobs_of(store: Store, name: ModelName) -> set[Digest]:
    try:
        return set(store.find(name).digests)
    except NotFound:
        return set()
    except StoreError as error:
        log.warning("the manifest that create replaces is damaged, its blobs stay: %s", error)
        return set()
