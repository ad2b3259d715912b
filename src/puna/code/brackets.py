"""Which closing brackets close something that the completion did not open (contract code-completion §4.3 Z3, Z5).

Brackets inside quotes that close on their line do not count. This is no parser: it has to be right for ordinary code in
any language and cheap at every token.
"""

from __future__ import annotations

import re

_PAIRS = {")": "(", "]": "[", "}": "{"}
_READ = 4000  # characters on each side of the cursor that are looked at for brackets
_MARKS = re.compile(r"""[()\[\]{}"'`\n\\]""")


class Brackets:
    """Reads text in pieces and remembers which brackets are open, and whether a string is."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self._quote = ""
        self._escaped = False  # the last character was a backslash inside a string
        self._last = ""

    def read(self, text: str) -> int | None:
        """The index of the first bracket that closes what is not open here; reading ends there. None: no such one."""
        for match in _MARKS.finditer(text):
            mark, at = match[0], match.start()
            if self._escaped and (at == 0 or text[at - 1] == "\\"):
                self._escaped = False
                continue
            self._escaped = False
            if self._quote:
                self._inside_quotes(mark)
            elif mark in "\"'`":
                self._open_quote(mark, text[at - 1] if at else self._last)
            elif mark in "([{":
                self.open.append(mark)
            elif mark in _PAIRS and not self._close(mark):
                return at
        if text:
            self._escaped = self._escaped and text.endswith("\\")
            self._last = text[-1]
        return None

    def _inside_quotes(self, mark: str) -> None:
        if mark in (self._quote, "\n"):
            self._quote = ""
        self._escaped = mark == "\\"

    def _open_quote(self, mark: str, before: str) -> None:
        """An apostrophe after a letter is none: prose in comments, lifetimes, digit separators."""
        if mark != "'" or not (before.isalnum() or before == "&"):
            self._quote = mark

    def _close(self, mark: str) -> bool:
        if self.open and self.open[-1] == _PAIRS[mark]:
            self.open.pop()
            return True
        return False


def at_cursor(line: str, suffix: str) -> Brackets:
    """A reader at the end of `line`, the cursor's: open is what the line opened and `suffix` does not close.

    A closing bracket of the suffix that stands further left than `line` belongs to an outer block.
    """
    reader, rest = Brackets(), line[-_READ:]
    while (at := reader.read(rest)) is not None:  # it closes something of an earlier line
        rest = rest[at + 1 :]
    closing = _unopened(suffix[:_READ], indent_of(line))
    still_open: list[str] = []
    for bracket in reversed(reader.open):
        if closing and _PAIRS[closing[0]] == bracket:
            closing.pop(0)
        else:
            still_open.insert(0, bracket)
    reader.open = still_open
    return reader


def indent_of(line: str) -> int:
    """The width of the blanks at the start of `line`; a tab goes to the next multiple of four."""
    blanks = line[: len(line) - len(line.lstrip(" \t"))]
    return len(blanks.expandtabs(4))


def _unopened(suffix: str, indent: int) -> list[str]:
    """The unopened closing brackets of `suffix`, up to the first that starts a line left of `indent`."""
    reader, found, rest = Brackets(), [], suffix
    while (at := reader.read(rest)) is not None:
        before = rest[:at].rpartition("\n")
        if before[1] and not before[2].strip() and indent_of(before[2]) < indent:
            break
        found.append(rest[at])
        rest = rest[at + 1 :]
    return found
