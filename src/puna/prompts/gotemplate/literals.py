"""Go's string, character and number literals."""

from __future__ import annotations

import re

from puna.prompts.gotemplate.fault import Fault

INT_MIN, INT_MAX = -(2**63), 2**63 - 1

_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.ASCII | re.DOTALL
)
_LEADING_ZERO = re.compile(r"[+-]?0[0-7]+", re.ASCII)  # octal, as in C
_FLOAT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?", re.ASCII)


def to_bytes(text: str) -> bytes:
    """The bytes that Go would hold: one lone surrogate per byte that is no UTF-8, as `surrogateescape` has it."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode("utf-8", "replace")


def from_bytes(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def unquote(literal: str) -> str:
    """The text of a `"…"` or raw back-quoted literal, quotes included in `literal`. Raises `Fault`."""
    if literal[0] == "`":
        return literal[1:-1].replace("\r", "")
    return from_bytes(_unescape(literal[1:-1], quote='"'))


def unquote_character(literal: str) -> int:
    """The code point of a `'…'` literal. Raises `Fault`."""
    body = literal[1:-1]
    match = _ESCAPE.fullmatch(body)
    if match is None:
        if len(body) != 1 or body == "\\":
            raise Fault(f"malformed character constant: {literal}")
        return ord(body)
    data = _unescape(body, quote="'")
    return data[0] if len(data) == 1 else ord(from_bytes(data))


def _unescape(body: str, quote: str) -> bytes:
    def replacement(match: re.Match[str]) -> bytes:
        hexadecimal, octal, short, long, simple = match.groups()
        if simple is not None:
            if simple == quote:
                return quote.encode()
            if simple not in _SIMPLE:
                raise Fault(f'unknown escape "\\{simple}"')
            return bytes([_SIMPLE[simple]])
        if hexadecimal or octal:
            value = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
            if value > 255:
                raise Fault(f'escape out of range: "{match[0]}"')
            return bytes([value])
        value = int(short or long, 16)
        if value > 0x10FFFF or 0xD800 <= value < 0xE000:
            raise Fault(f'escape is not a character: "{match[0]}"')
        return chr(value).encode()

    parts, position = [], 0
    for match in _ESCAPE.finditer(body):
        parts += [to_bytes(body[position : match.start()]), replacement(match)]
        position = match.end()
    return b"".join([*parts, to_bytes(body[position:])])


def number(literal: str) -> int | float:
    """An integer or, with a dot or an exponent, a float. Raises `Fault`."""
    try:
        value = int(literal, 8 if _LEADING_ZERO.fullmatch(literal) else 0)
    except ValueError:
        return _float(literal)
    if not INT_MIN <= value <= INT_MAX:
        raise Fault(f'integer overflow: "{literal}"')
    return value


def _float(literal: str) -> float:
    if not _FLOAT.fullmatch(literal):
        raise Fault(f'bad number syntax: "{literal}"')
    value = float(literal)
    if value in (float("inf"), float("-inf")):
        raise Fault(f'number out of range: "{literal}"')
    return value
