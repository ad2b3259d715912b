"""The Modelfile: text to a value (contract ollama-store §4.3). Pure; it opens no file and asks no store.

The reference reads one character at a time with a state machine. Its value state can only end at a line break, so this
reader takes a line at a time and gives the same answers, accidents of quoting included:

* a value that starts with three quotation marks (or one) runs until a line whose trimmed end is the same mark,
* there are no escapes, and single quotes are ordinary characters,
* a `#` is a comment only where an instruction could start,
* CR and LF both end a line and both count as one.
"""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from puna.errors import BadRequest

MAX_BYTES = 8 << 20  # licences stay far below 1 MB; a Modelfile may come from a stranger
ROLES = ("system", "user", "assistant")

_INSTRUCTIONS = (
    "from", "license", "template", "system", "adapter", "draft",
    "renderer", "parser", "parameter", "message", "requires",
)  # fmt: skip
_QUOTES = ('"""', '"')  # longest first
_GAP = re.compile(r"(?:[ \t\r\n]++|#[^\r\n]*+)*+")  # what may stand before an instruction
_BLANKS = re.compile(r"[ \t]*")
_LINE = re.compile(r"[^\r\n]*")
_WORD = re.compile(r".[A-Za-z]*")
_KEYS = {"parameter": re.compile(r"[A-Za-z0-9_]*"), "message": re.compile(r"[A-Za-z]*")}
_NUMBER = r"(?:0|[1-9][0-9]*)"
_SEMVER = re.compile(rf"{_NUMBER}(\.{_NUMBER}(\.{_NUMBER}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?)?")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, slots=True)
class PresetMessage:
    role: str  # one of ROLES
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Modelfile:
    """What the instructions say, unchecked beyond the grammar: paths may not exist, parameters may be unknown.

    `""` stands for an instruction that is not there; the reference treats an empty value the same way.
    """

    sources: tuple[str, ...]  # FROM, at least one, in order: a model name or a path
    adapter: str = ""
    draft: str = ""
    template: str = ""
    system: str = ""
    licenses: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()  # (name, value) in order; names may repeat
    messages: tuple[PresetMessage, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""  # a semantic version without `v`


@dataclass(frozen=True, slots=True)
class _Instruction:
    name: str  # lower case
    key: str  # a parameter's name or a message's role
    value: str


def parse_modelfile(data: bytes | str) -> Modelfile:
    """Read a Modelfile of at most `MAX_BYTES`. Raises `BadRequest` with the reference's texts and line numbers."""
    if len(data) > MAX_BYTES:
        raise BadRequest(f"the Modelfile is larger than {MAX_BYTES >> 20} MiB")
    text = _decode(data) if isinstance(data, bytes) else data.removeprefix("\ufeff")
    found: dict[str, list[_Instruction]] = defaultdict(list)
    for instruction in _instructions(text):
        found[instruction.name].append(instruction)
    if "from" not in found:
        raise BadRequest("no FROM line")

    def last(name: str) -> str:
        return found[name][-1].value if found[name] else ""

    return Modelfile(
        sources=tuple(item.value for item in found["from"]),
        adapter=last("adapter"),
        draft=last("draft"),
        template=last("template"),
        system=last("system"),
        licenses=tuple(item.value for item in found["license"]),
        parameters=tuple((item.key, item.value) for item in found["parameter"]),
        messages=tuple(PresetMessage(item.key, item.value) for item in found["message"]),
        renderer=last("renderer"),
        parser=last("parser"),
        requires=semantic_version(last("requires")),
    )


def scan_value(text: str, start: int) -> tuple[str, int]:
    """The value that begins at `start`, and where its last line ends. Raises `BadRequest` for an open quote."""
    end = _end(_LINE, text, start)
    pieces = [printable(text[start:end]).lstrip()]
    first = pieces[0].rstrip()
    mark = next((quote for quote in _QUOTES if first.startswith(quote)), "")
    if not mark or (len(first) >= 2 * len(mark) and first.endswith(mark)):
        return first[len(mark) : len(first) - len(mark)], end
    while end < len(text):
        start, end = end + 1, _end(_LINE, text, end + 1)
        pieces += (text[start - 1], printable(text[start:end]))
        if pieces[-1].rstrip().endswith(mark):
            return "".join(pieces).rstrip()[len(mark) : -len(mark)], end
    raise BadRequest("unexpected EOF")


def printable(text: str) -> str:
    """What the reference keeps of a text: letters, marks, numbers, punctuation, symbols, blanks, tabs, line breaks."""
    return text if text.isprintable() else "".join(char for char in text if char.isprintable() or char in "\t\r\n")


def _decode(data: bytes) -> str:
    """UTF-8, or what a byte order mark says; bytes that cannot be read become U+FFFD."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    return data.decode(errors="replace")


def _instructions(text: str) -> Iterator[_Instruction]:
    position, line = 0, 1
    while True:
        start = _end(_GAP, text, position)
        if start == len(text):
            return
        line += _line_breaks(text, position, start)
        end = _end(_WORD, text, start)
        name = printable(text[start:end]).lower()
        if end == len(text):
            raise BadRequest("unexpected EOF")
        if text[end] not in " \t" or name not in _INSTRUCTIONS:
            line += _line_breaks(text, end, end + 1)
            words = ", ".join(f'"{word}"' for word in _INSTRUCTIONS[:-1])
            raise BadRequest(f'(line {line}): command must be one of {words}, or "{_INSTRUCTIONS[-1]}"')
        key, start = _key(name, text, end + 1, line) if name in _KEYS else ("", end + 1)
        value, position = scan_value(text, start)
        line += _line_breaks(text, start, position)
        yield _Instruction(name, key, value)


def _key(name: str, text: str, position: int, line: int) -> tuple[str, int]:
    """A parameter's name or a message's role, and where the value behind it begins."""
    start = _end(_BLANKS, text, position)  # the reference takes one blank only and an empty name from the second
    end = _end(_KEYS[name], text, start)
    key = text[start:end]
    if end == len(text):
        raise BadRequest("unexpected EOF")
    if text[end] not in " \t":
        raise BadRequest(f"unexpected EOF: {key}")
    if name == "message" and key not in ROLES:
        raise BadRequest(f'(line {line}): message role must be one of "system", "user", or "assistant"')
    return key, end + 1


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where a pattern that also matches nothing stops."""
    match = pattern.match(text, position)
    assert match is not None
    return match.end()


def _line_breaks(text: str, start: int, end: int) -> int:
    return text.count("\n", start, end) + text.count("\r", start, end)


def semantic_version(text: str) -> str:
    """A version without its `v`; `""` stays. Raises `BadRequest`."""
    version = text.removeprefix("v")
    if text and not _SEMVER.fullmatch(version):
        raise BadRequest("requires must be a valid semver (e.g. 0.14.0)")
    return version
