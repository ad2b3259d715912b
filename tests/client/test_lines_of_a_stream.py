"""Lines come out whole, however the bytes were cut (contract ollama-http §1.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.client import ClientError
from puna.client.ndjson import LineSplitter


def split(*pieces: bytes, limit: int = 100) -> list[bytes]:
    splitter = LineSplitter(limit)
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.finish()


@given(st.data(), st.lists(st.binary(min_size=1, max_size=8).filter(lambda line: b"\n" not in line and line.strip())))
def test_every_cut_gives_the_same_lines(data: st.DataObject, lines: list[bytes]) -> None:
    stream = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert split(*pieces) == lines


def test_blank_lines_are_dropped_and_a_last_line_needs_no_newline() -> None:
    assert split(b"\n\r\n{}\n", b" \n{", b'"a":1}') == [b"{}", b'{"a":1}']


def test_separators_that_only_unicode_knows_do_not_split() -> None:
    line = '{"a":"\u2028\u0085"}'.encode()
    assert split(line + b"\n") == [line]


@pytest.mark.parametrize("pieces", [[b"x" * 101], [b"x" * 60, b"x" * 60], [b"x" * 101 + b"\n"]])
def test_a_line_over_the_limit_is_an_error(pieces: list[bytes]) -> None:
    with pytest.raises(ClientError, match="longer than 100 bytes"):
        split(*pieces)


def test_a_line_at_the_limit_passes() -> None:
    assert split(b"x" * 100 + b"\n" + b"y" * 100) == [b"x" * 100, b"y" * 100]
