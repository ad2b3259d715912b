"""What a line may begin with, looked at while it grows: each check says yes, no, or that it takes more text.

The checks are those of contract code-completion §4.3 that end a completion in front of a line: Z1 (something that is no
code of this file), Z3 (the block is over), Z4 (the suffix begins), Z7 (the model repeats itself). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

from puna.code.brackets import indent_of
from puna.code.cursor import Cursor
from puna.code.header import KEYS, OPENERS


class Verdict(Enum):
    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


Check = Callable[[str, bool], Verdict]
"""From a line so far, not blank, and whether it is whole. A whole line is never "maybe"."""

_HEADER = re.compile(rf"(?:{'|'.join(map(re.escape, OPENERS))}) *(?:{'|'.join(KEYS)}) *:")
_FOREIGN = ("diff --git", "```")
_OPENS_BLOCK = re.compile(
    r"\s*(?:async|case|class|def|elif|else|except|finally|for|if|match|try|while|with)\b.*:\s*(?:#.*)?"
)
_GOES_ON = ("case", "elif", "else", "except", "finally")  # at the indentation of the line that opened the block
_WORD = re.compile(r"\w")
_MAX_COMPARED = 300  # characters: longer lines are compared for equality only
TOLERANCE = 0.1  # of a line's length: the edit distance at which two lines count as the same


def foreign(language: str) -> Check:
    """Z1: a diff, a fence, a header line of another prompt."""
    marks = tuple(mark for mark in _FOREIGN if mark != "```" or language.lower() != "markdown")

    def check(line: str, whole: bool) -> Verdict:
        text = line.lstrip()
        if text.startswith(marks) or _HEADER.match(text):
            return Verdict.YES
        if whole:
            return Verdict.NO
        return _maybe(any(mark.startswith(text) for mark in marks) or _may_be_header(text))

    return check


def _may_be_header(text: str) -> bool:
    for opener in OPENERS:
        if opener.startswith(text):
            return True
        if text.startswith(opener):
            key = text.removeprefix(opener).strip(" ")
            return any(known.startswith(key) for known in KEYS)
    return False


def left_block(cursor_line: str, *, opens: bool) -> Check:
    """Z3: a line further left than the cursor's; where that may open a block (Python) and does, one not right of it."""
    indent, opens = indent_of(cursor_line), opens and _OPENS_BLOCK.fullmatch(cursor_line) is not None

    def check(line: str, whole: bool) -> Verdict:
        found, text = indent_of(line), line.strip()
        if text[0] in ")]}" or found > indent or (found == indent and not opens):
            return Verdict.NO  # a closing bracket is judged by what it closes
        if found == indent:
            word = re.match(r"\w*", text)
            if word is not None and word[0] in _GOES_ON:
                return Verdict.NO
            if not whole and any(known.startswith(text) for known in _GOES_ON):
                return Verdict.MAYBE
        return Verdict.YES

    return check


def right_of(indent: int) -> Check:
    """I4: a line with fewer than `indent` blanks in front."""
    return lambda line, whole: Verdict.YES if indent_of(line) < indent else Verdict.NO


def suffix_line(cursor: Cursor) -> Check:
    """Z4: the line with which the suffix goes on, or nearly so. Lines of brackets only count with their indentation."""
    below = cursor.line_below
    exact = _WORD.search(below) is None
    target = below if exact else below.strip()
    allowed = 0 if exact or len(target) > _MAX_COMPARED else int(TOLERANCE * len(target))

    def check(line: str, whole: bool) -> Verdict:
        text = line.rstrip() if exact else line.strip()
        if not target or len(text) > len(target) + allowed:
            return Verdict.NO
        if whole:
            return Verdict.YES if edit_distance(text, target, allowed) <= allowed else Verdict.NO
        return _maybe(edit_distance(text, target[: len(text)], allowed) <= allowed)

    return check


def same_as(above: str) -> Check:
    """Z7: the very line that stands above."""
    target = above.rstrip()

    def check(line: str, whole: bool) -> Verdict:
        if _WORD.search(target) is None:
            return Verdict.NO
        if whole:
            return Verdict.YES if line.rstrip() == target else Verdict.NO
        return _maybe(target.startswith(line))

    return check


def edit_distance(one: str, other: str, limit: int) -> int:
    """Insertions, deletions and replacements between two lines; anything above `limit` when there are more."""
    if limit == 0 or one == other:
        return int(one != other)
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    row = list(range(len(other) + 1))
    for at, char in enumerate(one, 1):
        diagonal, row[0] = row[0], at
        for column, expected in enumerate(other, 1):
            cost = min(row[column] + 1, row[column - 1] + 1, diagonal + (char != expected))
            diagonal, row[column] = row[column], cost
        if min(row) > limit:
            return limit + 1
    return row[-1]


def _maybe(may_be: bool) -> Verdict:
    return Verdict.MAYBE if may_be else Verdict.NO
