"""The header of a GGUF file, read once with bounds on everything: the first and strictest reader that a file meets.

Versions 1 to 3 in both byte orders, limits of contract ollama-store §2.6, threats T11 and T12. Arrays are stepped over
and remembered by their place; tensors are described, never read. Every refusal is a `BadRequest` of the form
`invalid GGUF file: <field>: <why>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from puna.store.cursor import ARRAY, KIND_NAMES, STRING, ByteOrder, Cursor, Scalar, invalid
from puna.store.files import open_regular, reported
from puna.store.filetypes import FILE_TYPES, TENSOR_TYPES, UNKNOWN, TensorType

MAX_ARRAY = 64 * 2**20  # elements (§2.6)
MAX_SHOWN_ARRAY = 4_000_000  # elements that `read_array` turns into a list: the largest vocabulary that T12 allows
MAX_KEYS = 2**16  # real files have under a hundred keys and a few thousand tensors
MAX_TENSORS = 2**16
MAX_DIMENSIONS = 4
MAX_BLOCKS = 4096  # layers (threats T12)
DEFAULT_ALIGNMENT = 32
PARAMETER_COUNT = "general.parameter_count"


@dataclass(frozen=True, slots=True)
class GgufArray:
    """An array that was stepped over: `count` elements of `type` (`string`, `int32`, …) from byte `offset` on."""

    type: str
    count: int
    offset: int


KvValue = Scalar | str | GgufArray


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: `shape` in file order (fastest first), `offset` in bytes from the start of the file."""

    name: str
    type: str
    shape: tuple[int, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What the header says. `kv` holds keys as stored, but `general.parameter_count` is always the counted one."""

    version: int
    byte_order: ByteOrder
    architecture: str
    kv: Mapping[str, KvValue]
    tensors: tuple[TensorInfo, ...]
    parameter_count: int

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`; keys outside `general.` and `tokenizer.` belong to the architecture (§2.6)."""
        if not key.startswith(("general.", "tokenizer.")):
            key = f"{self.architecture}.{key}"
        return self.kv.get(key, default)

    def get_int(self, key: str) -> int:
        """`get` for a count: 0 when the key is absent, negative or no whole number."""
        value = self.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0

    @property
    def file_type(self) -> str:
        """The quantisation's name, `unknown` when the file does not say; a stored 0 is F32 (§2.6, Puna's rule)."""
        value = self.get("general.file_type")
        return FILE_TYPES.get(value, UNKNOWN) if isinstance(value, int) else UNKNOWN

    def read_array(self, path: Path, key: str) -> list[Scalar | str]:
        """The elements of the array under the full key `key`, read again from the file.

        Raises `BadRequest` for a key that is no array here and for more than `MAX_SHOWN_ARRAY` elements or 64 MiB of
        text, `StoreError` when the file cannot be read.
        """
        place = self.kv.get(key)
        if not isinstance(place, GgufArray):
            invalid(key, "is not an array")
        if place.count > MAX_SHOWN_ARRAY:
            invalid(key, f"{place.count} elements are over the limit of {MAX_SHOWN_ARRAY}")
        with reported("read a model's weights"), open_regular(path) as file:
            cursor = Cursor(file, order=self.byte_order, version=self.version, position=place.offset)
            if place.type == KIND_NAMES[STRING]:
                return [_text(cursor.string(key)) for _ in range(place.count)]
            return list(cursor.scalars(KIND_NAMES.index(place.type), place.count, key))


def read_gguf_header(path: Path) -> GgufHeader:
    """Read and check the header. Raises `BadRequest` naming the field at fault, `StoreError` for an unreadable file."""
    with reported("read a model's weights"), open_regular(path) as file:
        cursor = Cursor(file)
        _read_magic(cursor)
        tensor_count = _bounded(cursor.count("tensor_count"), MAX_TENSORS, "tensor_count")
        kv_count = _bounded(cursor.count("metadata_kv_count"), MAX_KEYS, "metadata_kv_count")
        kv = _read_kv(cursor, kv_count)
        architecture = kv.get("general.architecture", UNKNOWN)
        if not isinstance(architecture, str):
            invalid("general.architecture", "must be a text")
        _check_kv(kv, architecture)
        raw = [_read_tensor(cursor, f"tensor {number}") for number in range(tensor_count)]
        tensors = _place_tensors(raw, _align(cursor.position, _alignment(kv)), _alignment(kv), cursor.size)
        kv[PARAMETER_COUNT] = count = sum(prod(tensor.shape) for tensor in tensors)
        return GgufHeader(cursor.version, cursor.order, architecture, MappingProxyType(kv), tensors, count)


def _read_magic(cursor: Cursor) -> None:
    """Set the byte order and the version. Big-endian files come with either spelling of the magic."""
    magic = cursor.take(4, "magic")
    if magic not in (b"GGUF", b"FUGG"):
        invalid("magic", "this is not a GGUF file")
    if magic == b"FUGG":
        cursor.order = ">"
    version = cursor.u32("version")
    if magic == b"GGUF" and version & 0xFFFF == 0:  # a small number read the wrong way round
        cursor.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version not in (1, 2, 3):
        invalid("version", f"{version} is not supported, use a file of version 3")
    cursor.version = version


def _read_kv(cursor: Cursor, count: int) -> dict[str, KvValue]:
    kv: dict[str, KvValue] = {}
    for number in range(count):
        key = _name(cursor.string(f"metadata key {number}"), f"metadata key {number}")
        if key in kv:
            invalid(key, "the key is there twice")
        kv[key] = _read_value(cursor, cursor.u32(key), key)
    return kv


def _read_value(cursor: Cursor, kind: int, key: str) -> KvValue:
    if kind >= len(KIND_NAMES):
        invalid(key, f"unknown value type {kind}")
    if kind == STRING:
        return _text(cursor.string(key))
    if kind != ARRAY:
        return cursor.scalar(kind, key)
    element = cursor.u32(key)
    if element >= len(KIND_NAMES) or element == ARRAY:
        invalid(key, f"unsupported array element type {element}")
    count = _bounded(cursor.count(key), MAX_ARRAY, key)
    array = GgufArray(KIND_NAMES[element], count, cursor.position)
    cursor.skip(element, count, key)
    return array


@dataclass(frozen=True, slots=True)
class _RawTensor:
    name: str
    type: TensorType
    shape: tuple[int, ...]
    offset: int  # from the start of the data section
    size: int  # bytes


def _read_tensor(cursor: Cursor, field: str) -> _RawTensor:
    name = _name(cursor.string(field), field)
    field = f"{field} ({name})"
    dimensions = cursor.u32(field)
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        invalid(field, f"{dimensions} dimensions, must be 1 to {MAX_DIMENSIONS}")
    shape = tuple(cursor.u64(field) for _ in range(dimensions))
    if 0 in shape:
        invalid(field, "a dimension is 0")
    number = cursor.u32(field)
    kind = TENSOR_TYPES.get(number)
    if kind is None:
        invalid(field, f"unknown tensor type {number}")
    if shape[0] % kind.block:
        invalid(field, f"the first dimension {shape[0]} is no multiple of the block size {kind.block}")
    return _RawTensor(name, kind, shape, cursor.u64(field), prod(shape) // kind.block * kind.size)


def _place_tensors(raw: list[_RawTensor], start: int, alignment: int, file_size: int) -> tuple[TensorInfo, ...]:
    """Check that the tensors are aligned, apart from one another and inside the file; keep the file's order."""
    names: set[str] = set()
    end = 0
    for tensor in sorted(raw, key=lambda tensor: tensor.offset):
        field = f"tensor {tensor.name}"
        if tensor.name in names:
            invalid(field, "the name is there twice")
        names.add(tensor.name)
        if tensor.offset % alignment:
            invalid(field, f"offset {tensor.offset} is not aligned to {alignment}")
        if tensor.offset < end:
            invalid(field, f"offset {tensor.offset} overlaps the tensor before it")
        end = tensor.offset + tensor.size
        if start + end > file_size:
            invalid(field, "reaches past the end of the file")
    return tuple(TensorInfo(tensor.name, tensor.type.name, tensor.shape, start + tensor.offset) for tensor in raw)


def _alignment(kv: Mapping[str, KvValue]) -> int:
    value = kv.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0 or value & (value - 1):
        invalid("general.alignment", "must be a power of two")
    return value


def _align(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment


def _check_kv(kv: Mapping[str, KvValue], architecture: str) -> None:
    """What engines have been seen to trust (threats T11): the layer count and tables as long as the vocabulary."""
    blocks = kv.get(f"{architecture}.block_count", 1)
    if not isinstance(blocks, int) or not 1 <= blocks <= MAX_BLOCKS:
        invalid(f"{architecture}.block_count", f"must be 1 to {MAX_BLOCKS}")
    tokens = kv.get("tokenizer.ggml.tokens")
    if tokens is None:
        return
    if not isinstance(tokens, GgufArray) or tokens.type != "string" or tokens.count > MAX_SHOWN_ARRAY:
        invalid("tokenizer.ggml.tokens", f"must be an array of at most {MAX_SHOWN_ARRAY} texts")
    for key, types in _VOCABULARY_TABLES.items():
        table = kv.get(key)
        if table is not None and not (
            isinstance(table, GgufArray) and table.type in types and table.count == tokens.count
        ):
            invalid(key, f"must be an array of {tokens.count} numbers, one for each token")


_VOCABULARY_TABLES = {
    "tokenizer.ggml.scores": ("float32",),
    "tokenizer.ggml.token_type": ("int32", "uint32"),
}


def _bounded(count: int, limit: int, field: str) -> int:
    if count > limit:
        invalid(field, f"{count} is over the limit of {limit}")
    return count


def _name(data: bytes, field: str) -> str:
    """A key or a tensor's name: two of them must not become equal by repair, so bad UTF-8 is refused."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        invalid(field, "the name is not valid UTF-8")


def _text(data: bytes) -> str:
    """A value for people or tokenizers: single bytes of a cut character occur in real vocabularies."""
    return data.decode(errors="replace")
