"""What a person types becomes messages and commands (contract ollama-store §6.6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.cli.chat.entries import Command, Entry, EntryReader, Message, SystemMessage


def entries(*lines: str) -> list[Entry]:
    reader = EntryReader()
    return [entry for line in lines if (entry := reader.feed(line)) is not None]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["hello"], [Message("hello")]),
        (["a\nb"], [Message("a\nb")]),  # Ctrl-J or a paste
        (["", "   "], []),
        (["/bye"], [Command("/bye")]),
        (['"""one line"""'], [Message("one line")]),
        (['"""', "a", 'b"""'], [Message("\na\nb")]),
        (['"""a', "", '/bye"""   '], [Message("a\n\n/bye")]),
        (['""""""'], []),
        (["/set system Be brief."], [SystemMessage("Be brief.")]),
        (["/set  system  a  b"], [SystemMessage("a  b")]),
        (['/set system """Be', 'brief."""'], [SystemMessage("Be\nbrief.")]),
        (['/set system """Be brief."""', "hi"], [SystemMessage("Be brief."), Message("hi")]),
        (["/set system"], [Command("/set system")]),
        (["/set verbose"], [Command("/set verbose")]),
    ],
)
def test_lines_become_entries(lines: list[str], expected: list[Entry]) -> None:
    assert entries(*lines) == expected


def test_an_open_entry_is_known_and_can_be_dropped() -> None:
    reader = EntryReader()
    assert reader.feed('"""begun') is None
    assert reader.is_open
    reader.reset()
    assert reader.feed("hi") == Message("hi")


@given(st.lists(st.text(alphabet='"/ab \n', max_size=8), max_size=8))
def test_no_input_breaks_the_reader(lines: list[str]) -> None:
    for entry in entries(*lines):
        assert isinstance(entry, Message | Command | SystemMessage)
