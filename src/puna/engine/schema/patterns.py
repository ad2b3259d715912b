"""Regular expressions of a schema: parsed here and written anew, so that only what is understood reaches the engine.

ECMA 262's letters, escapes, classes, groups, choices, counts, and anchors at the ends: the part of it that describes a
regular language. Everything else (look-around, back references, word borders, modes) is refused by name. The parser
keeps its own stack, so that depth costs none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from puna.engine.schema.numbers import MAX_REPEATS
from puna.engine.schema.refused import Refused

MAX_PATTERN = 512  # characters
MAX_GROUPS = 32  # inside each other

Ranges = list[tuple[int, int]]  # code points, both ends included

_COUNT = re.compile(r"\{(\d{1,9})(,?)(\d{0,9})\}", re.ASCII)
_HEX = {"x": re.compile(r"[0-9a-fA-F]{2}"), "u": re.compile(r"[0-9a-fA-F]{4}")}
_LAST = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)

_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "0": 0}
_ESCAPED: Ranges = [(0, 31), (92, 92), (127, 127)]
_LINE_ENDS: Ranges = [(10, 10), (13, 13), (0x2028, 0x2029)]
_CLASSES: dict[str, Ranges] = {
    "d": [(48, 57)],
    "w": [(48, 57), (65, 90), (95, 95), (97, 122)],
    "s": [(9, 13), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F),
          (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)],
}  # fmt: skip


@dataclass(slots=True)
class _Group:
    """What has been read of one group. `size` counts characters with all counts multiplied out."""

    choices: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    size: int = 0  # of the choices that are complete
    from_start: bool = False  # the choice began with ^
    to_end: bool = False  # … and ended with $

    def add(self, part: str, size: int) -> None:
        if self.to_end:
            raise Refused("a pattern has $ elsewhere than at its end")
        self.parts.append(part)
        self.sizes.append(size)

    def close_choice(self, *, outermost: bool) -> None:
        """The outermost choices match anywhere unless they are anchored."""
        before = "" if self.from_start or not outermost else _ANYTHING
        after = "" if self.to_end or not outermost else _ANYTHING
        self.choices.append(before + "".join(self.parts) + after)
        self.size += sum(self.sizes)
        self.parts, self.sizes, self.from_start, self.to_end = [], [], False, False


def normalise_pattern(pattern: str) -> str:
    """The same expression, anchored at both ends, in the few forms that the engine's compiler cannot misread.

    Raises `Refused`.
    """
    if len(pattern) > MAX_PATTERN:
        raise Refused(f"a pattern is longer than {MAX_PATTERN} characters")
    parser = _Parser(pattern)
    while parser.at < len(pattern):
        parser.step()
    return parser.whole()


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self.at = 0
        self._groups = [_Group()]
        self._countable = False  # what was read last can be counted

    def step(self) -> None:
        """Reads one character, escape, class, count or part of a group."""
        character, countable = self._next(), True
        group = self._groups[-1]
        match character:
            case "(":
                self._open()
                countable = False
            case ")":
                self._close()
            case "|":
                group.close_choice(outermost=len(self._groups) == 1)
                countable = False
            case "^" | "$":
                self._anchor(character)
                countable = False
            case "*" | "+" | "?" | "{":
                self._count(character)
                countable = False
            case "[":
                group.add(_written(self._class()), 1)
            case "\\":
                group.add(_written(self._escape()), 1)
            case ".":
                group.add(_written(_complement(_LINE_ENDS)), 1)
            case "}" | "]":
                raise Refused(f"a pattern has a {character} that closes nothing")
            case _:
                group.add(_written([_single(character)]), 1)
        self._countable = countable

    def whole(self) -> str:
        if len(self._groups) > 1:
            raise Refused("a pattern has a group that is not closed")
        (outermost,) = self._groups
        outermost.close_choice(outermost=True)
        _check_size(outermost.size)
        return f"^(?:{'|'.join(outermost.choices)})$"

    def _next(self) -> str:
        if self.at >= len(self._text):
            raise Refused("a pattern ends in the middle of an expression")
        self.at += 1
        return self._text[self.at - 1]

    def _take(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        found = expression.match(self._text, self.at)
        self.at = found.end() if found else self.at
        return found

    def _open(self) -> None:
        if self._text.startswith("?:", self.at):
            self.at += 2
        elif self._text.startswith("?", self.at):
            raise Refused("a pattern looks around, names a group or switches a mode, which the engine cannot follow")
        if len(self._groups) > MAX_GROUPS:
            raise Refused(f"a pattern has groups nested deeper than {MAX_GROUPS} levels")
        self._groups.append(_Group())

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise Refused("a pattern has a ) that closes nothing")
        group = self._groups.pop()
        group.close_choice(outermost=False)
        _check_size(group.size)
        self._groups[-1].add(f"(?:{'|'.join(group.choices)})", group.size)

    def _anchor(self, character: str) -> None:
        group = self._groups[-1]
        at_start = character == "^" and not group.parts and not group.from_start and not group.to_end
        at_end = character == "$" and not group.to_end and self._text[self.at : self.at + 1] in ("", "|")
        if len(self._groups) > 1 or not (at_start or at_end):
            raise Refused(f"a pattern has {character} elsewhere than at its {'start' if character == '^' else 'end'}")
        group.from_start, group.to_end = group.from_start or at_start, at_end

    def _count(self, character: str) -> None:
        if not self._countable:
            raise Refused(f"a pattern has a {character} with nothing before it to repeat")
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(character) or self._counts()
        self._take(_LAZY)
        group = self._groups[-1]
        if most is not None and least > most:
            raise Refused("a pattern counts from a number down to a smaller one")
        group.parts[-1] += f"{{{least},{'' if most is None else most}}}"
        group.sizes[-1] *= max(least, 1) if most is None else most
        _check_size(group.sizes[-1])
        if max(least, most or 0) > MAX_REPEATS:  # of nothing at all
            raise Refused(f"a pattern asks for more than {MAX_REPEATS} repeats")

    def _counts(self) -> tuple[int, int | None]:
        self.at -= 1
        found = self._take(_COUNT)
        if found is None:
            raise Refused("a pattern has a { that begins no count")
        least, comma, most = found.groups()
        if not comma and most:
            raise Refused("a pattern has a { that begins no count")
        return int(least), int(most) if most else None if comma else int(least)

    def _escape(self, *, in_class: bool = False) -> Ranges:
        character = self._next()
        if (ranges := _CLASSES.get(character.lower())) is not None:
            return ranges if character.islower() else _complement(ranges)
        if character in _HEX:
            digits = self._take(_HEX[character])
            if digits is None:
                raise Refused(f"a pattern has \\{character} without its digits")
            return [_single(chr(int(digits[0], 16)))]
        if character in _CONTROLS and not (character == "0" and self._text[self.at : self.at + 1].isdigit()):
            return [(_CONTROLS[character],) * 2]
        if in_class and character == "b":
            return [(8, 8)]
        if character.isalnum() or character == "_":
            raise Refused(f"a pattern has \\{character}, which the engine cannot follow")
        return [_single(character)]

    def _class(self) -> Ranges:
        negated = self._text.startswith("^", self.at)
        self.at += negated
        ranges: Ranges = []
        while (character := self._next()) != "]":
            first = self._escape(in_class=True) if character == "\\" else [_single(character)]
            if self._text.startswith("-", self.at) and self._text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                character = self._next()
                last = self._escape(in_class=True) if character == "\\" else [_single(character)]
                first = [_span(first, last)]
            ranges += first
        if not (ranges := _complement(ranges) if negated else _merged(ranges)):
            raise Refused("a pattern has a class that no character is in")
        return ranges


_LAZY = re.compile(r"\?")  # changes which match is found first, not what matches


def _check_size(size: int) -> None:
    if size > MAX_REPEATS:
        raise Refused(f"a pattern asks for more than {MAX_REPEATS} repeats")


def _single(character: str) -> tuple[int, int]:
    code = ord(character)
    if _SURROGATES[0] <= code <= _SURROGATES[1]:
        raise Refused("a pattern has half a character")
    return code, code


def _span(first: Ranges, last: Ranges) -> tuple[int, int]:
    if not (len(first) == len(last) == 1 and first[0][0] == first[0][1] <= last[0][0] == last[0][1]):
        raise Refused("a pattern has a class with a range that is none")
    return first[0][0], last[0][0]


def _merged(ranges: Ranges) -> Ranges:
    """In order, without surrogates, none touching the next."""
    merged: Ranges = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(high, merged[-1][1])
        else:
            merged.append((low, high))
    return merged


def _complement(ranges: Ranges) -> Ranges:
    gaps: Ranges = []
    start = 0
    for low, high in [*_merged([*ranges, _SURROGATES]), (_LAST + 1, _LAST + 1)]:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    return gaps


def _written(ranges: Ranges) -> str:
    """Without what JSON escapes by a backslash of its own: the compiler then loses its place in the pattern."""
    ranges = _complement([*_complement(ranges), *_ESCAPED])
    if not ranges:
        raise Refused("a pattern asks for a backslash or a control character, which the engine cannot follow")
    return f"[{''.join(_code(low) if low == high else f'{_code(low)}-{_code(high)}' for low, high in ranges)}]"


def _code(code: int) -> str:
    character = chr(code)
    return character if code > 0x7F or character.isalnum() else f"\\x{code:02X}"


_ANYTHING = f"{_written([(0, _LAST)])}{{0,}}"
