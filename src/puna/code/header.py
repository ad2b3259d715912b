"""Comment lines at the top of a prompt that tell the file's language and path (contract code-completion §1.4).

# Language: Python (python)
# Path: src/a.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

OPENERS: Final = ("#", "//", "--", ";", "%", "REM", "'", "<!--", "/*", "(*", "{-")
_CLOSERS: Final = {"<!--": "-->", "/*": "*/", "(*": "*)", "{-": "-}"}
_LANGUAGE_KEYS: Final = ("Language", "language")
_PATH_KEYS: Final = ("Path", "path", "File uri", "Filename")
KEYS: Final = _LANGUAGE_KEYS + _PATH_KEYS

_LINE: Final = re.compile(
    rf"(?P<open>{'|'.join(map(re.escape, OPENERS))}) *(?P<key>{'|'.join(KEYS)}):"
    r"(?P<value>[^\n]*)\n"
)
_BLANK: Final = re.compile(r" *\r?\n")
_MAX_BLANK_LINES: Final = 2
_ID: Final = re.compile(r"(?P<value>.*\S) +\((?P<id>[\w.+#-]+)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Header:
    """What the lines tell; empty = they do not."""

    language: str = ""
    language_id: str = ""
    path: str = ""
    length: int = 0  # characters of the text that belong to the header, leading blank lines included


def read_header(text: str) -> Header:
    """The header at the top of `text`; `length` 0 when there is none.

    Scanning stops at the first line that is no header line, a second line of one key included (A1). Blank lines in
    front are part of the header only when one follows.
    """
    at = _after_blank_lines(text)
    values: dict[str, str] = {}
    ids: dict[str, str] = {}
    while (line := _LINE.match(text, at)) is not None and line["key"] not in values:
        value, language_id = _value(line["value"], line["open"])
        if not value:
            break
        values[line["key"]], ids[line["key"]] = value, language_id
        at = line.end()
    if not values:
        return Header()
    return Header(
        language=_first(values, _LANGUAGE_KEYS),
        language_id=_first(ids, (*_LANGUAGE_KEYS, *_PATH_KEYS)),
        path=plain_path(_first(values, _PATH_KEYS)),
        length=at,
    )


def plain_path(path: str) -> str:
    """A `file://` URI as the path that it stands for, anything else as it is (A3)."""
    if not path.startswith("file://"):
        return path
    local = unquote(path.removeprefix("file://"))
    drive = re.match(r"/[A-Za-z]:", local)  # file:///c:/x is c:/x on Windows
    return local[1:] if drive else local


def _after_blank_lines(text: str) -> int:
    at = 0
    for _ in range(_MAX_BLANK_LINES):
        blank = _BLANK.match(text, at)
        if blank is None:
            break
        at = blank.end()
    return at


def _value(text: str, opener: str) -> tuple[str, str]:
    """The value without blanks, CR and the comment's closer, and the ` (id)` behind it (A3)."""
    value = text.strip()
    if opener in _CLOSERS:
        value = value.removesuffix(_CLOSERS[opener]).rstrip()
    told = _ID.fullmatch(value)
    return (told["value"], told["id"]) if told else (value, "")


def _first(values: dict[str, str], keys: tuple[str, ...]) -> str:
    return next((values[key] for key in keys if values.get(key)), "")
