"""New GGUF files from old ones without touching a tensor: the parts of a split model as one, or one more text key.

Keys and tensor data are copied byte by byte; only the counts and the tensors' places are written anew. Inputs pass the
store's strict header reader first, so no length here is believed before it was checked (threats T11).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from puna.errors import BadRequest
from puna.store.cursor import ARRAY, STRING, Cursor
from puna.store.files import open_regular
from puna.store.filetypes import TENSOR_TYPES
from puna.store.gguf import DEFAULT_ALIGNMENT, GgufHeader, TensorInfo, read_gguf_header

SPLIT_NAME = re.compile(r"(?P<prefix>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf", re.DOTALL)

_COUNTS_AT = 8  # file offset of tensor_count and metadata_kv_count, behind magic and version
_KEYS_AT = 24
_CHUNK = 4 << 20
_SPLIT_KEYS = ("split.no", "split.count", "split.tensors.count")
_TYPES = {kind.name: (number, kind) for number, kind in TENSOR_TYPES.items()}


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes of an input file that go to the output as they are, with their tensor where they belong to one."""

    file: BinaryIO
    start: int
    size: int
    tensor: TensorInfo | None = None


def rewrite_gguf(
    parts: Sequence[Path], write: Callable[[bytes], object], texts: Mapping[str, str] | None = None
) -> Iterator[tuple[int, int]]:
    """Write the model in `parts` (one file, or all of a split model in order) as a single file, plus keys with texts.

    Yields (done, total) bytes of tensor data. Raises `BadRequest` when the parts do not belong together.
    """
    headers = [read_gguf_header(part) for part in parts]
    _check_parts(headers)
    first = headers[0]
    with ExitStack() as stack:
        files = [stack.enter_context(open_regular(part)) for part in parts]
        keys = _kept_keys(files[0], first)
        tensors = [
            _Piece(file, tensor.offset, _size(tensor), tensor)
            for file, header in zip(files, headers, strict=True)
            for tensor in header.tensors
        ]
        added = [_key_text(first.byte_order, *item) for item in (texts or {}).items()]
        magic = Cursor(files[0]).take(4, "magic")
        counts = (first.version, len(tensors), len(keys) + len(added))
        alignment = first.get_int("general.alignment") or DEFAULT_ALIGNMENT
        infos = _tensor_infos(first.byte_order, [piece.tensor for piece in tensors if piece.tensor], alignment)

        write(magic + struct.pack(first.byte_order + "IQQ", *counts))
        for key in keys:
            for chunk in _chunks(key):
                write(chunk)
        tail = b"".join((*added, *infos))
        write(tail)
        write(_padding(_KEYS_AT + sum(key.size for key in keys) + len(tail), alignment))
        yield from _copy_tensors(tensors, alignment, write)


def _check_parts(headers: Sequence[GgufHeader]) -> None:
    first, count = headers[0], len(headers)
    if any(header.version < 2 for header in headers):
        raise BadRequest("GGUF version 1 cannot be rewritten: convert the model to version 3 first")
    for number, header in enumerate(headers):
        if (header.kv.get("split.no", 0), header.kv.get("split.count", count)) != (number, count):
            raise BadRequest(f"split GGUF: part {number + 1} of {count} says that it is another part")
        if (header.version, header.byte_order) != (first.version, first.byte_order):
            raise BadRequest(f"split GGUF: part {number + 1} of {count} has another version or byte order")
    names = [tensor.name for header in headers for tensor in header.tensors]
    if len(set(names)) < len(names):
        raise BadRequest("split GGUF: a tensor is in two parts")
    if first.kv.get("split.tensors.count", len(names)) != len(names):
        raise BadRequest(f"split GGUF: the parts hold {len(names)} tensors, not as many as the first one says")


def _kept_keys(file: BinaryIO, header: GgufHeader) -> list[_Piece]:
    """The places of all keys but those about the split."""
    cursor = Cursor(file, order=header.byte_order, version=header.version, position=_COUNTS_AT)
    cursor.u64("tensor_count")
    kept = []
    for _ in range(cursor.u64("metadata_kv_count")):
        start = cursor.position
        key = cursor.string("metadata key").decode()
        kind = cursor.u32(key)
        if kind == STRING:
            cursor.string(key)
        elif kind == ARRAY:
            element = cursor.u32(key)
            cursor.skip(element, cursor.u64(key), key)
        else:
            cursor.scalar(kind, key)
        if key not in _SPLIT_KEYS:
            kept.append(_Piece(file, start, cursor.position - start))
    return kept


def _key_text(order: str, key: str, text: str) -> bytes:
    return _string(order, key) + struct.pack(order + "I", STRING) + _string(order, text)


def _tensor_infos(order: str, tensors: Sequence[TensorInfo], alignment: int) -> Iterator[bytes]:
    offset = 0
    for tensor in tensors:
        number, _ = _TYPES[tensor.type]
        rank = len(tensor.shape)
        yield _string(order, tensor.name)
        yield struct.pack(f"{order}I{rank}QIQ", rank, *tensor.shape, number, offset)
        offset += _size(tensor)
        offset += -offset % alignment


def _string(order: str, text: str) -> bytes:
    data = text.encode()
    return struct.pack(order + "Q", len(data)) + data


def _size(tensor: TensorInfo) -> int:
    """Bytes of the tensor's data."""
    _, kind = _TYPES[tensor.type]
    return prod(tensor.shape) // kind.block * kind.size


def _copy_tensors(
    tensors: Sequence[_Piece], alignment: int, write: Callable[[bytes], object]
) -> Iterator[tuple[int, int]]:
    done, total = 0, sum(piece.size for piece in tensors)
    for piece in tensors:
        for chunk in _chunks(piece):
            write(chunk)
            done += len(chunk)
            yield done, total
        write(_padding(piece.size, alignment))


def _chunks(piece: _Piece) -> Iterator[bytes]:
    piece.file.seek(piece.start)
    left = piece.size
    while left:
        chunk = piece.file.read(min(left, _CHUNK))
        if not chunk:
            raise BadRequest("a GGUF file became shorter while it was read")
        left -= len(chunk)
        yield chunk


def _padding(size: int, alignment: int) -> bytes:
    return bytes(-size % alignment)
