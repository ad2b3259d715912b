"""A tiny GGUF writer for tests: small valid files, and the same files with one field replaced by any bytes.

`fields` gives the file as named pieces in order, so that a test can say which one it damages; `write` and `gguf_bytes`
join them. Values are typed by their Python type: bool, int (uint32), float (float32), str, and lists of int (int32),
float (float32) or str.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from puna.store.filetypes import TENSOR_TYPES

U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5

LLAMA: Mapping[str, Any] = {
    "general.architecture": "llama",
    "general.file_type": 1,
    "llama.block_count": 2,
    "llama.context_length": 2048,
    "llama.embedding_length": 64,
    "tokenizer.chat_template": "{{ messages[0].content }}",
    "tokenizer.ggml.tokens": ["a", "bé", "<|end|>"],
    "tokenizer.ggml.scores": [0.0, 0.5, 1.0],
    "tokenizer.ggml.token_type": [1, 1, 3],
}


@dataclass(frozen=True)
class Tensor:
    """`type` is the number of a tensor type; the data is zeros."""

    name: str
    shape: tuple[int, ...] = (32,)
    type: int = 0

    @property
    def size(self) -> int:
        kind = TENSOR_TYPES[self.type]
        return prod(self.shape) // kind.block * kind.size


WEIGHTS = (Tensor("token_embd.weight", (64, 3), 1), Tensor("blk.0.ffn.weight", (64, 2), 8), Tensor("output.weight"))


def fields(
    kv: Mapping[str, Any] = LLAMA,
    tensors: Sequence[Tensor] = WEIGHTS,
    *,
    version: int = 3,
    order: str = "<",
    magic: bytes = b"GGUF",
    alignment: int = 32,
) -> dict[str, bytes]:
    """The file in order: field name → bytes. Names end in a number's role: `count`, `length`, `type`, `dimension`, …"""
    count = "I" if version == 1 else "Q"
    pieces: dict[str, bytes] = {"magic": magic}

    def number(name: str, code: str, value: float) -> None:
        pieces[name] = struct.pack(order + code, value)

    def text(name: str, value: str) -> None:
        data = value.encode() + (b"\0" if version == 1 else b"")
        number(f"{name} length", "Q", len(data))
        pieces[name] = data

    number("version", "I", version)
    number("tensor_count", count, len(tensors))
    number("metadata_kv_count", count, len(kv))
    for key, value in kv.items():
        text(f"key {key}", key)
        number(f"{key} type", "I", _kind(value))
        if isinstance(value, list):
            number(f"{key} element type", "I", _kind(value[0]) if not isinstance(value[0], int) else I32)
            number(f"{key} count", count, len(value))
        for at, item in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(item, str):
                text(f"{key}[{at}]", item)
            else:
                kind = "?" if isinstance(item, bool) else "f" if isinstance(item, float) else "I"
                number(f"{key}[{at}] value", kind, item)
    offset = 0
    for tensor in tensors:
        text(f"tensor {tensor.name}", tensor.name)
        number(f"{tensor.name} dimensions", "I", len(tensor.shape))
        for at, size in enumerate(tensor.shape):
            number(f"{tensor.name} dimension {at}", "Q", size)
        number(f"{tensor.name} tensor type", "I", tensor.type)
        number(f"{tensor.name} offset", "Q", offset)
        offset += -(-tensor.size // alignment) * alignment
    if tensors:
        header = sum(map(len, pieces.values()))
        pieces["data"] = bytes(-header % alignment + offset)
    return pieces


def gguf_bytes(*args: Any, replaced: Mapping[str, bytes] | None = None, **options: Any) -> bytes:
    """A whole file; `replaced` puts other bytes in the place of named fields."""
    return b"".join((fields(*args, **options) | (replaced or {})).values())


def write_gguf(path: Path, *args: Any, **options: Any) -> Path:
    path.write_bytes(gguf_bytes(*args, **options))
    return path


def _kind(value: Any) -> int:
    kinds: dict[type, int] = {bool: BOOL, int: U32, float: F32, str: STRING, list: ARRAY}
    return kinds[type(value)]
