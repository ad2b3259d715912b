"""Tiny GGUF files written by hand, a store that holds them, and a stand-in for the tool that cannot be had here."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping
from pathlib import Path

from puna.modelfile import CreateRequest, create_model
from puna.names import Digest, ModelName
from puna.progress import Progress
from puna.store import Model, Store

EMPTY_GGUF = struct.pack("<4sIQQQ20sIQ4s", b"GGUF", 3, 0, 1, 20, b"general.architecture", 8, 4, b"test")
"""The file of the conformance vectors: no tensors, one key, 68 bytes."""


def gguf(
    kv: Mapping[str, str | int | bool] | None = None,
    tensors: Mapping[str, bytes] | None = None,
    *,
    arch: str | None = "llama",
    order: str = "<",
) -> bytes:
    """A GGUF file of version 3: texts, uint32 numbers, booleans; F32 tensors of one dimension."""
    keys: dict[str, str | int | bool] = {"general.architecture": arch, f"{arch}.block_count": 1} if arch else {}
    keys |= kv or {}
    keys = {key: value for key, value in keys.items() if value is not None}
    tensors = tensors or {}
    out = bytearray(b"GGUF" + struct.pack(order + "IQQ", 3, len(tensors), len(keys)))
    for key, value in keys.items():
        out += _text(order, key)
        if isinstance(value, str):
            out += struct.pack(order + "I", 8) + _text(order, value)
        elif isinstance(value, bool):
            out += struct.pack(order + "IB", 7, value)
        else:
            out += struct.pack(order + "II", 4, value)
    offset = 0
    for name, data in tensors.items():
        out += _text(order, name) + struct.pack(order + "IQIQ", 1, len(data) // 4, 0, offset)
        offset += len(data) + -len(data) % 32
    for data in tensors.values():
        out += bytes(-len(out) % 32) + data
    return bytes(out)


def f16_model(**kv: str | int | bool) -> bytes:
    return gguf({"general.file_type": 1, **kv}, {"token_embd.weight": b"\1\2\3\4" * 8})


def run(store: Store, request: CreateRequest, quantizer: Path | None = None) -> list[Progress]:
    return list(create_model(store, request, quantizer=quantizer))


def statuses(steps: list[Progress]) -> list[str]:
    """The status texts with repetitions left out."""
    return list(dict.fromkeys(step.status for step in steps))


def upload(store: Store, data: bytes) -> str:
    return str(store.put_blob(data)[0])


def make(store: Store, name: str, data: bytes = EMPTY_GGUF, **fields: object) -> Model:
    """Create a model from one file the ordinary way."""
    target = ModelName.parse(name)
    run(store, CreateRequest(target=target, files={"model.gguf": upload(store, data)}, **fields))  # type: ignore[arg-type]
    return store.model(target)


def layer_text(store: Store, model: Model, kind: str) -> list[bytes]:
    """The contents of the layers of one kind (`template`, `params`, …)."""
    layers = [layer for layer in model.manifest.layers if layer.media_type.endswith(f".{kind}")]
    return [store.read_blob(layer.digest) for layer in layers]


def blobs(store: Store) -> set[Digest]:
    return {Digest(path.name.removeprefix("sha256-")) for path in (store.root / "blobs").glob("sha256-*")}


def fake_quantizer(folder: Path, body: str) -> Path:
    """An executable with `llama-quantize`'s arguments: `body` sees `source`, `target` and `kind`."""
    path = folder / "llama-quantize"
    path.write_text(f"#!{sys.executable} -S\nimport os, sys, time\nsource, target, kind = sys.argv[1:]\n{body}\n")
    path.chmod(0o755)
    return path


def _text(order: str, text: str) -> bytes:
    return struct.pack(order + "Q", len(text.encode())) + text.encode()
