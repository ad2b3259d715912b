"""Bounded reading of a GGUF file's primitive values: every length is checked against the real file before it is used.

It reads through a small window with plain reads. A memory map would be as fast, but a file cut short by somebody else
while it is mapped kills the whole process with SIGBUS, and the file comes from a stranger (threats T11, T12).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import BinaryIO, Literal, NoReturn

from puna.errors import BadRequest

ByteOrder = Literal["<", ">"]
Scalar = bool | int | float

MAX_STRING = 16 * 2**20  # bytes (contract ollama-store §2.6)
MAX_TEXT = 64 * 2**20  # bytes of all texts kept from one header
WINDOW = 2**18

BOOL, STRING, ARRAY = 7, 8, 9
KIND_NAMES = (
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array",
    "uint64", "int64", "float64",
)  # fmt: skip
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", BOOL: "B", 10: "Q", 11: "q", 12: "d"}
_STRUCTS: Mapping[ByteOrder, Mapping[int, struct.Struct]] = MappingProxyType(
    {
        "<": {kind: struct.Struct("<" + code) for kind, code in _FORMATS.items()},
        ">": {kind: struct.Struct(">" + code) for kind, code in _FORMATS.items()},
    }
)
_U32, _U64 = 4, 10


def invalid(field: str, why: str) -> NoReturn:
    """Refuse the file. `field` may hold text from it, so it is cut and escaped to stay one clear line."""
    shown = field if field.isprintable() else ascii(field)[1:-1]
    raise BadRequest(f"invalid GGUF file: {shown[:120]}: {why}")


class Cursor:
    """A position in an open GGUF file. `order` and `version` are set once the first bytes are read."""

    def __init__(self, file: BinaryIO, *, order: ByteOrder = "<", version: int = 3, position: int = 0) -> None:
        self.position = position
        self.size = os.fstat(file.fileno()).st_size
        self.order: ByteOrder = order
        self.version = version
        self._descriptor = file.fileno()
        self._window = b""
        self._start = 0  # file offset of the window's first byte
        self._text = 0

    def need(self, count: int, field: str) -> int:
        """Bring the next `count` bytes into the window; gives the offset of the first one in it."""
        if count > self.size - self.position:
            invalid(field, "reaches past the end of the file")
        offset = self.position - self._start
        if not (offset >= 0 and offset + count <= len(self._window)):
            self._window = os.pread(self._descriptor, max(count, WINDOW), self.position)
            self._start, offset = self.position, 0
            if len(self._window) < count:
                invalid(field, "the file became shorter while it was read")
        return offset

    def take(self, count: int, field: str) -> bytes:
        offset = self.need(count, field)
        self.position += count
        return self._window[offset : offset + count]

    def scalar(self, kind: int, field: str) -> Scalar:
        form = _STRUCTS[self.order][kind]
        offset = self.need(form.size, field)
        self.position += form.size
        value: Scalar = form.unpack_from(self._window, offset)[0]
        if kind != BOOL:
            return value
        if value not in (0, 1):
            invalid(field, "a boolean must be 0 or 1")
        return value == 1

    def u32(self, field: str) -> int:
        return int(self.scalar(_U32, field))

    def u64(self, field: str) -> int:
        return int(self.scalar(_U64, field))

    def count(self, field: str) -> int:
        """A number of things: 32 bits wide in version 1, 64 since."""
        return self.u32(field) if self.version == 1 else self.u64(field)

    def string(self, field: str) -> bytes:
        """A length (always 64 bits) and its bytes; version 1 counts and stores a closing NUL."""
        length = self.u64(field)
        if length > MAX_STRING:
            invalid(field, f"a text of {length} bytes is over the limit of {MAX_STRING}")
        self._text += length
        if self._text > MAX_TEXT:
            invalid(field, f"the header holds more than {MAX_TEXT} bytes of text")
        data = self.take(length, field)
        if self.version > 1:
            return data
        if not data.endswith(b"\0"):
            invalid(field, "a version 1 text must end with NUL")
        return data[:-1]

    def scalars(self, kind: int, count: int, field: str) -> list[Scalar]:
        """`count` values in a row; the caller has bounded `count`."""
        form = _STRUCTS[self.order][kind]
        data = self.take(form.size * count, field)
        values: list[Scalar] = [value for (value,) in form.iter_unpack(data)]
        return [value != 0 for value in values] if kind == BOOL else values

    def skip(self, kind: int, count: int, field: str) -> None:
        """Step over the elements of an array."""
        if kind == STRING:
            self._skip_strings(count, field)
            return
        length = _STRUCTS[self.order][kind].size * count
        if length > self.size - self.position:
            invalid(field, "reaches past the end of the file")
        self.position += length

    def _skip_strings(self, count: int, field: str) -> None:
        """Vocabularies have 10^5 entries and this runs for each of them, so the inner loop has no calls of ours."""
        length_of = _STRUCTS[self.order][_U64].unpack_from
        if count * 8 > self.size - self.position:
            invalid(field, "reaches past the end of the file")
        while count:
            offset = self.need(8, field)
            window, last = self._window, len(self._window) - 8
            while count and offset <= last:
                length = length_of(window, offset)[0]
                if length > MAX_STRING:
                    invalid(field, f"a text of {length} bytes is over the limit of {MAX_STRING}")
                offset += 8 + length
                count -= 1
            self.position = self._start + offset
            if self.position > self.size:
                invalid(field, "reaches past the end of the file")
