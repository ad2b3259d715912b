"""Template text into tokens: text, delimiters with their trim marks, and what stands between them."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from enum import Enum, auto
from typing import NamedTuple

from puna.prompts.gotemplate.fault import Fault

SPACE = " \t\r\n"
KEYWORDS = frozenset({"block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"})


class Kind(Enum):
    TEXT = auto()
    OPEN = auto()  # {{
    CLOSE = auto()  # }}
    BLANK = auto()
    KEYWORD = auto()
    IDENTIFIER = auto()
    FIELD = auto()
    VARIABLE = auto()
    DOT = auto()
    NIL = auto()
    BOOL = auto()
    STRING = auto()
    CHARACTER = auto()
    NUMBER = auto()
    DECLARE = auto()  # :=
    ASSIGN = auto()  # =
    PIPE = auto()
    LEFT = auto()  # (
    RIGHT = auto()  # )
    COMMA = auto()
    END = auto()  # of the source


class Token(NamedTuple):
    kind: Kind
    text: str
    line: int


# Names and fields must be followed by one of these; Go says "bad character" otherwise.
_BOUNDARY = r"(?=[ \t\r\n.,|:()]|\}\}|\Z)"
_TOKEN = re.compile(
    rf"""
      (?P<TRIM>      [ \t\r\n]+-\}}\}} )
    | (?P<CLOSE>     \}}\}} )
    | (?P<BLANK>     [ \t\r\n]+ )
    | (?P<NUMBER>    [+-]?\.?[0-9](?:[eEpP][+-][0-9]|[\w.])* )
    | (?P<FIELD>     \.[^\W\d]\w*{_BOUNDARY} )
    | (?P<DOT>       \.{_BOUNDARY} )
    | (?P<VARIABLE>  \$\w*{_BOUNDARY} )
    | (?P<WORD>      [^\W\d]\w*{_BOUNDARY} )
    | (?P<STRING>    "(?:[^"\\\n]|\\[^\n])*" | `[^`]*` )
    | (?P<CHARACTER> '(?:[^'\\\n]|\\[^\n])+' )
    | (?P<DECLARE>   := )
    | (?P<ASSIGN>    = )
    | (?P<PIPE>      \| )
    | (?P<LEFT>      \( )
    | (?P<RIGHT>     \) )
    | (?P<COMMA>     , )
    """,
    re.VERBOSE,
)


def tokens(source: str) -> Iterator[Token]:
    """All tokens of `source`, ending with one END. Raises `Fault` with the line."""
    position, line, trim = 0, 1, False
    while True:
        start = source.find("{{", position)
        text = source[position:] if start < 0 else source[position:start]
        shown = text.lstrip(SPACE) if trim else text
        if start >= 0 and _trims_before(source, start):
            shown = shown.rstrip(SPACE)
        if shown:
            yield Token(Kind.TEXT, shown, line)
        line += text.count("\n")
        if start < 0:
            yield Token(Kind.END, "", line)
            return
        position = start + (4 if _trims_before(source, start) else 2)
        if source.startswith("/*", position):
            close = _comment_end(source, position, line)
        else:
            close = yield from _action(source, position, line)
        line += source.count("\n", start, close.end())
        position, trim = close.end(), close.lastgroup == "TRIM"


def _trims_before(source: str, start: int) -> bool:
    """`{{-` counts only with a blank after it: `{{-1}}` is a number."""
    return source.startswith("-", start + 2) and source[start + 3 : start + 4] in set(SPACE)


def _comment_end(source: str, start: int, line: int) -> re.Match[str]:
    end = source.find("*/", start + 2)
    if end < 0:
        raise Fault("unclosed comment", line)
    close = _TOKEN.match(source, end + 2)
    if close is None or close.lastgroup not in ("TRIM", "CLOSE") or len(close[0]) > 4:
        raise Fault("comment ends before closing delimiter", line)
    return close


def _action(source: str, position: int, line: int) -> Generator[Token, None, re.Match[str]]:
    """The tokens from `{{` to `}}`; returns the match of the closing delimiter."""
    yield Token(Kind.OPEN, "{{", line)
    while True:
        match = _TOKEN.match(source, position)
        if match is None:
            raise Fault(_complaint(source[position : position + 1]), line)
        group, text = match.lastgroup, match[0]
        if group in ("TRIM", "CLOSE"):
            yield Token(Kind.CLOSE, "}}", line)
            return match
        yield Token(_kind(group, text), text, line)
        position, line = match.end(), line + text.count("\n")


def _kind(group: str | None, text: str) -> Kind:
    if group != "WORD":
        return Kind[str(group)]
    if text in KEYWORDS:
        return Kind.KEYWORD
    return {"nil": Kind.NIL, "true": Kind.BOOL, "false": Kind.BOOL}.get(text, Kind.IDENTIFIER)


def _complaint(character: str) -> str:
    match character:
        case "":
            return "unclosed action"
        case '"' | "`":
            return "unterminated quoted string"
        case "'":
            return "unterminated character constant"
        case _:
            return f"unexpected {character!r} in action"
