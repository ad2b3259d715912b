"""Words move to the next line while they are being typed (contract ollama-store §6.5)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.cli.terminal import cells
from puna.cli.wrap import MARGIN, WordWrap, wrap_cell

ERASE = re.compile(r"\x1b\[(\d+)D\x1b\[K")


def screen(text: str) -> list[str]:
    """What a terminal shows after `text`."""
    lines = [""]
    position = 0
    while position < len(text):
        if erased := ERASE.match(text, position):
            lines[-1] = lines[-1][: -int(erased[1])]
            position = erased.end()
        else:
            lines = [*lines, ""] if text[position] == "\n" else [*lines[:-1], lines[-1] + text[position]]
            position += 1
    return lines


def wrapped(text: str, width: int) -> list[str]:
    return screen(WordWrap(width).feed(text))


def test_a_word_that_does_not_fit_moves_down_whole() -> None:
    assert wrapped("the quick brown foxes", 20) == ["the quick brown", "foxes"]


def test_a_word_in_the_middle_moves_down_whole() -> None:
    assert wrapped("the quick bro" + "wnish", 20) == ["the quick ", "brownish"]


def test_a_blank_at_the_edge_becomes_the_line_break() -> None:
    assert wrapped("123456789012345 next", 20) == ["123456789012345", "next"]


def test_a_word_wider_than_the_terminal_is_broken() -> None:
    assert wrapped("x" * 40, 20) == ["x" * 15, "x" * 15, "x" * 10]


def test_wide_characters_break_anywhere() -> None:
    assert wrapped("日本語" * 4, 20) == ["日本語日本語日", "本語日本語"]


@pytest.mark.parametrize("width", [0, 1, 9])
def test_a_very_narrow_terminal_is_left_alone(width: int) -> None:
    assert WordWrap(width).feed("many words here") == "many words here"


@given(st.text(alphabet="ab \nc", max_size=120), st.integers(12, 40), st.data())
def test_no_line_is_too_wide_and_no_letter_is_lost_however_the_text_is_cut(
    text: str, width: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(text)))
    wrap = WordWrap(width)
    lines = screen(wrap.feed(text[:cut]) + wrap.feed(text[cut:]))
    assert lines == wrapped(text, width)
    assert all(cells(line) <= width - MARGIN for line in lines)
    assert "".join(lines).replace(" ", "") == re.sub(r"[ \n]", "", text)


def test_a_cell_is_broken_with_the_least_raggedness() -> None:
    assert wrap_cell("aaa bb cc ddddd", 6) == ["aaa", "bb cc", "ddddd"]
    assert wrap_cell("", 30) == [""]


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=12), min_size=1, max_size=30), st.integers(1, 20))
def test_a_cell_keeps_every_word_within_its_limit(words: list[str], limit: int) -> None:
    lines = wrap_cell(" ".join(words), limit)
    assert " ".join(lines).split() == words
    assert max(map(len, lines)) <= max(limit, *map(len, words))


def test_a_huge_cell_is_broken_in_reasonable_time() -> None:
    assert len(wrap_cell("word " * 20_000, 100)) == 1000
