"""Uploaded files become weights: told apart by their content, joined if split, quantised if asked (contract §4.2).

Blobs are read by digest only. Whatever is not GGUF is refused before anything of it is interpreted: pickles and
archives are programs (threats T11, T15).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from puna.errors import BadRequest
from puna.modelfile.quantize import check_available, check_source, run_quantizer
from puna.modelfile.rewrite import SPLIT_NAME, rewrite_gguf
from puna.modelfile.workspace import Workspace
from puna.names import Digest
from puna.progress import CONVERSION_DIGEST, Progress
from puna.store import GgufHeader, Layer, MediaType, Store, read_gguf_header

FOREIGN_FORMAT = (
    "only GGUF files can be imported: "
    "convert safetensors or PyTorch weights with llama.cpp's convert_hf_to_gguf.py first"
)

_GGUF_MAGICS = (b"GGUF", b"FUGG")
_FOREIGN_MAGICS = (b"PK\x03\x04", b"\x80")  # zip archives (PyTorch, Keras) and pickles
_FOREIGN_SUFFIXES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth", ".zip")
_CLIP_TYPES = ("clip.projector_type", "clip.vision.projector_type", "clip.audio.projector_type")


@dataclass(frozen=True, slots=True)
class Weights:
    """One GGUF blob and the layer it becomes."""

    layer: Layer
    header: GgufHeader


def read_files(workspace: Workspace, files: Mapping[str, Digest]) -> Generator[Progress, None, list[Weights]]:
    """The layers of uploaded GGUF files, in the order of their names. Raises `BadRequest` naming what is wrong."""
    store = workspace.store
    _check_formats(store, files)
    found = []
    for parts in _grouped(files):
        for _ in parts:
            yield Progress("parsing GGUF")
        paths = [store.blob_path(digest) for digest in parts]
        header = read_gguf_header(paths[0])
        weights = Weights(Layer(layer_kind(header), parts[0], store.blob_size(parts[0])), header)
        if len(parts) > 1:
            weights = yield from _rewritten(workspace, weights, paths, "converting model", {})
        elif header.kv.get("split.count", 1) != 1:
            raise BadRequest("split GGUF: name its parts like model-00001-of-00003.gguf and give all of them")
        elif _lacks_projector_type(header):
            texts = {"clip.projector_type": "mlp"}  # llava's early projectors do not say so
            weights = yield from _rewritten(workspace, weights, paths, "updating GGUF projector metadata", texts)
        found.append(weights)
    return found


def layer_kind(header: GgufHeader) -> MediaType:
    """What a GGUF file is, by its metadata (§4.2)."""
    declared = header.get("general.type")
    if declared == "adapter":
        return MediaType.ADAPTER
    if declared in ("projector", "mmproj"):
        return MediaType.PROJECTOR
    if header.get("block_count") is None:
        encodes = header.get("has_vision_encoder") or header.get("has_audio_encoder")
        if header.get("vision.block_count") is not None or (header.architecture == "clip" and encodes):
            return MediaType.PROJECTOR
    return MediaType.MODEL


def quantised(
    workspace: Workspace, weights: Weights, file_type: str, binary: Path | None
) -> Generator[Progress, None, Weights]:
    """`weights` as `file_type`, unchanged where they have it already. Raises `PunaError`."""
    store, source = workspace.store, weights.header.file_type
    check_source(source)
    if source == file_type:
        return weights
    tool = check_available(binary)
    status = f"quantizing {source} model to {file_type}"
    with store.scratch() as folder:
        target = folder / "model.gguf"
        for done, total in run_quantizer(tool, store.blob_path(weights.layer.digest), target, file_type):
            yield Progress(status, CONVERSION_DIGEST, total, done)
        read_gguf_header(target)
        target.chmod(0o644)  # what a blob has: the store can link the file instead of copying it
        digest, created = store.adopt(target)
    return _made(workspace, weights.layer.media_type, digest, created)


def _check_formats(store: Store, files: Mapping[str, Digest]) -> None:
    if any(name.lower().endswith(".safetensors") for name in files):
        raise BadRequest(FOREIGN_FORMAT)
    for name, digest in files.items():
        if not store.has_blob(digest):
            raise BadRequest(f"blob {digest} not found: upload it first")
        with store.open_blob(digest) as file:
            start = file.read(4)
        if start in _GGUF_MAGICS:
            continue
        if start.startswith(_FOREIGN_MAGICS) or name.lower().endswith(_FOREIGN_SUFFIXES):
            raise BadRequest(FOREIGN_FORMAT)
        raise BadRequest("supplied file was not in GGUF format" if name.endswith(".gguf") else "unknown type")


def _grouped(files: Mapping[str, Digest]) -> Iterator[list[Digest]]:
    """Single files alone, the parts of split models together and in order. Raises `BadRequest` for a missing part."""
    groups: dict[tuple[str, int], dict[int, Digest]] = defaultdict(dict)
    for name in sorted(files):
        split = SPLIT_NAME.fullmatch(name)
        key = (split["prefix"], int(split["count"])) if split else (name, 1)
        groups[key][int(split["number"]) if split else 1] = files[name]
    for (_, count), parts in groups.items():
        if parts.keys() != set(range(1, count + 1)):
            raise BadRequest(f"split GGUF: all parts from 1 to {count} are needed, each once")
        yield [parts[number] for number in sorted(parts)]


def _lacks_projector_type(header: GgufHeader) -> bool:
    return (
        header.architecture == "clip"
        and header.get("has_vision_encoder") is True
        and not any(key in header.kv for key in _CLIP_TYPES)
    )


def _rewritten(
    workspace: Workspace, weights: Weights, paths: Sequence[Path], status: str, texts: Mapping[str, str]
) -> Generator[Progress, None, Weights]:
    """One new blob from the blobs at `paths`."""
    with workspace.store.writer() as writer:
        for done, total in rewrite_gguf(paths, writer.write, texts):
            yield Progress(status, CONVERSION_DIGEST, total, done)
        digest = writer.commit()
    return _made(workspace, weights.layer.media_type, digest, writer.created)


def _made(workspace: Workspace, media_type: str, digest: Digest, created: bool) -> Weights:
    workspace.made(digest, created)
    store = workspace.store
    return Weights(Layer(media_type, digest, store.blob_size(digest)), read_gguf_header(store.blob_path(digest)))
