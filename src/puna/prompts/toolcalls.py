"""Tool calls out of a model's text, while it streams in (contract ollama-store §5.7, ollama-http §4.9).

One generic reader for the many ways in which models write calls: after a tag, or at the very beginning, JSON objects
with a name and arguments, alone, in a list, one after another, or a bare object of arguments behind a tool's name.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import Enum, auto
from typing import Any

import orjson

from puna.prompts.gotemplate import GoTemplate
from puna.prompts.gotemplate.nodes import Block, If, Pipe, Text, blocks_of, references, walk
from puna.prompts.messages import ToolCall
from puna.prompts.thinking import overlap

BARE = "{"  # the tag of templates without one: an answer is a call only when it begins with an object
MAX_DEPTH = 64  # objects inside each other; what is deeper is text

_BARE_TAGS = (BARE, "[")
_NAMES = ("name", "function", "tool_name")
_ARGUMENTS = ("arguments", "parameters", "args")
_WORD = re.compile(r"[\w.-]+", re.ASCII)
_SEPARATORS = " \t\r\n,;[]"
_ALPHABET = string.ascii_lowercase + string.digits


def new_call_id() -> str:
    """`call_` and 8 of `[a-z0-9]`, from the system's random source."""
    return "call_" + "".join(secrets.choice(_ALPHABET) for _ in range(8))


class _State(Enum):
    LOOKING = auto()  # for the tag
    CALLING = auto()  # behind the tag: objects are calls
    TEXT = auto()  # no call will come any more


class ToolCallParser:
    """Splits a model's text into content and complete calls; `names` are the tools on offer, empty = any.

    The result does not depend on how the text was cut into pieces (apart from how content is cut, and the ids). What
    looks like a call and is none comes out as content; marks and blanks around calls are dropped.
    """

    def __init__(self, tag: str, names: Collection[str] = (), *, new_id: Callable[[], str] = new_call_id) -> None:
        self._tag = tag or BARE
        self._names = frozenset(names)
        self._new_id = new_id
        self._state = _State.LOOKING
        self._held = ""  # neither content nor a call yet
        self._object = _ObjectScan()
        self._calls = 0

    def feed(self, text: str) -> list[str | ToolCall]:
        """New content and calls, in order."""
        self._held += text
        pieces: list[str | ToolCall] = []
        if self._state is _State.LOOKING:
            pieces.append(self._until_tag())
        if self._state is _State.CALLING:
            pieces += self._take_calls()
        if self._state is _State.TEXT:
            pieces.append(self._held)
            self._held = ""
        return [piece for piece in pieces if piece != ""]

    def finish(self) -> list[str | ToolCall]:
        """What was held back: an incomplete call is content, the rest behind a call is nothing."""
        held, self._held = self._held, ""
        self._state = _State.TEXT
        return [held] if held and (not self._calls or self._object.begun) else []

    def _until_tag(self) -> str:
        """Content before the tag; what is or may become the tag stays held."""
        if self._tag in _BARE_TAGS:
            begin = self._held.lstrip()
            if begin:
                self._state = _State.CALLING if begin.startswith(self._tag) else _State.TEXT
            return ""
        position = self._held.find(self._tag)
        if position >= 0:
            self._state = _State.CALLING
        else:
            position = len(self._held) - overlap(self._held, self._tag)
        content, self._held = self._held[:position], self._held[position:]
        return content

    def _take_calls(self) -> Iterator[ToolCall]:
        while not self._is_text():
            if (found := self._object.advance(self._held)) is None:
                return
            start, end = found
            call = self._call(self._held[:start], self._held[start:end])
            if call is None:
                break
            yield call
            self._held = self._held[end:]
            self._object = _ObjectScan()
        self._state = _State.TEXT

    def _is_text(self) -> bool:
        """Without a tag, anything but an object ends the calls; separators around an answer's rest are dropped."""
        if self._tag not in _BARE_TAGS or self._object.begun:
            return False
        rest = self._held.lstrip(_SEPARATORS)
        if not rest or rest.startswith("{"):
            return False
        if self._calls:
            self._held = rest
        return True

    def _call(self, before: str, text: str) -> ToolCall | None:
        if self._object.deepest > MAX_DEPTH:
            return None
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        for name, arguments in (_named(value), (self._name_in(before), value)):
            known = name in self._names if self._names else name is not None
            if arguments is None and name in self._names:
                arguments = {}
            if name is not None and known and isinstance(arguments, Mapping):
                self._calls += 1
                return ToolCall(self._new_id(), name, arguments, self._calls - 1)
        return None

    def _name_in(self, before: str) -> str | None:
        """The last tool on offer that is named between two objects: `[TOOL_CALLS]weather[ARGS]{…}`."""
        known = [word for word in _WORD.findall(before.replace(self._tag, " ")) if word in self._names]
        return known[-1] if known else None


def _named(value: Mapping[str, Any]) -> tuple[str | None, Any]:
    """Name and arguments as the object itself says; the arguments may be JSON in a text."""
    inner = value.get("function")
    if isinstance(inner, Mapping):
        return _named(inner)
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    arguments = next((value[key] for key in _ARGUMENTS if key in value), None)
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return name, arguments
    return name, arguments


class _ObjectScan:
    """Finds the end of the next `{…}` in a growing text, reading every character once."""

    _OUTSIDE = re.compile(r'["{}]')
    _INSIDE = re.compile(r'["\\]')

    def __init__(self) -> None:
        self._start = -1
        self._position = 0
        self._depth = 0
        self._in_string = False
        self.deepest = 0

    @property
    def begun(self) -> bool:
        return self._start >= 0

    def advance(self, text: str) -> tuple[int, int] | None:
        """Start and end once the object is complete; `text` must begin with what was given before."""
        if not self.begun:
            self._start = text.find("{", self._position)
            self._position = self._start if self.begun else len(text)
        while self.begun:
            mark = (self._INSIDE if self._in_string else self._OUTSIDE).search(text, self._position)
            if mark is None:
                self._position = max(self._position, len(text))  # an escaped character may still be missing
                return None
            self._position = mark.end()
            match mark[0]:
                case '"':
                    self._in_string = not self._in_string
                case "\\":
                    self._position += 1
                case "{":
                    self._depth += 1
                    self.deepest = max(self.deepest, self._depth)
                case _:
                    self._depth -= 1
                    if not self._depth:
                        return self._start, self._position
        return None


def infer_tag(template: GoTemplate) -> str:
    """What the template writes in front of old calls; `{` where it writes nothing (§5.7)."""
    for block in template.blocks.values():
        body = _first_with_calls(block)
        if body is not None:
            texts = (node.text.strip() for node in walk(body) if isinstance(node, Text))
            return next(filter(None, texts), "").partition("{")[0].strip() or BARE
    return BARE


def _first_with_calls(block: Block) -> Block | None:
    """The body of the first `if` whose condition names the tool calls."""
    for node in block:
        if isinstance(node, If):
            for pipe, body in node.clauses:
                found = body if _names_calls(pipe) else _first_with_calls(body)
                if found is not None:
                    return found
        for inner in blocks_of(node):
            found = _first_with_calls(inner)
            if found is not None:
                return found
    return None


def _names_calls(pipe: Pipe) -> bool:
    return any("ToolCalls" in reference.names for reference in references(pipe))
