"""How blobs are cut (contract ollama-store §3.3) and what a multipart upload is called (§3.5)."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.registry.parts import LARGEST, SMALLEST, cut, etag, whole

MB = 10**6


@pytest.mark.parametrize(
    ("size", "parts", "first", "last"),
    [
        (0, 0, None, None),
        (1, 1, 1, 1),
        (100 * MB, 1, 100 * MB, 100 * MB),
        (100 * MB + 1, 2, 100 * MB, 1),
        (1600 * MB, 16, 100 * MB, 100 * MB),
        (1600 * MB + 15, 17, 100 * MB, 15),
        (3200 * MB, 16, 200 * MB, 200 * MB),
        (40_000 * MB, 40, 1000 * MB, 1000 * MB),
    ],
)
def test_sizes_are_the_reference_s(size: int, parts: int, first: int | None, last: int | None) -> None:
    found = cut(size)
    assert len(found) == parts
    if found:
        assert (found[0].size, found[-1].size) == (first, last)


@given(st.integers(min_value=0, max_value=10**13))
def test_parts_tile_the_blob(size: int) -> None:
    position = 0
    for number, part in enumerate(cut(size)):
        assert (part.number, part.offset, part.completed) == (number, position, 0)
        assert 0 < part.size <= LARGEST
        position += part.size
    assert position == size
    assert all(part.size >= SMALLEST for part in cut(size)[:-1])


def test_one_piece_is_one_part() -> None:
    (part,) = whole(5 * LARGEST)
    assert (part.offset, part.size) == (0, 5 * LARGEST)


def test_an_upload_is_called_by_the_md5_of_its_parts_md5s() -> None:
    md5s = [hashlib.md5(data, usedforsecurity=False).digest() for data in (b"one", b"two")]
    assert etag(md5s) == hashlib.md5(b"".join(md5s), usedforsecurity=False).hexdigest() + "-2"
