"""What is known of a value in a template without running it: does it come from the conversation, which words is it.

A template that compares what somebody said with plain words can answer differently to those words (threats T09). Real
templates compare it with markup only: `</think>`, `[INST]`, `/no_think`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Flag, auto
from functools import reduce
from operator import or_
from typing import Protocol

_MAX_PASSES = 8  # over one template, until nothing new is known
_MAX_WORDS = 8  # kept of one value: a single one is enough for a warning

_TAG = re.compile(r"<[^<>]+>")
_MARKUP = re.compile(r"\[[^\[\]]*\]|\{[^{}]*\}|/[A-Za-z_]+")
_TEXT_FIELDS = frozenset(
    {"content", "text", "thinking", "reasoning", "reasoning_content", "prompt", "system", "suffix"}
)


class Flow(Flag):
    """How a value comes from the conversation."""

    NONE = 0
    CHAT = auto()  # the messages, or one of them
    FIELD = auto()  # a text of a message: a string, or a list of parts
    PART = auto()  # one of those parts, or one character
    TEXT = auto()  # a string made from any of these


@dataclass(frozen=True, slots=True)
class Trace:
    """`words` are literals in the template that the value may be made of, markup left out."""

    flow: Flow = Flow.NONE
    words: frozenset[str] = frozenset()

    def __or__(self, other: Trace) -> Trace:
        words = self.words | other.words
        return Trace(self.flow | other.flow, words if len(words) <= _MAX_WORDS else _first(words))

    @property
    def made(self) -> Trace:
        """A string that is made from this value."""
        return Trace(Flow.TEXT if self.flow else Flow.NONE, self.words)

    @property
    def joined(self) -> Trace:
        """What adding or calling with this value gives: messages stay messages, all else is a string."""
        chat = Flow.CHAT & self.flow
        return Trace(chat | (Flow.TEXT if self.flow & ~Flow.CHAT else Flow.NONE), self.words)

    @property
    def element(self) -> Trace:
        """What a loop over this value, or an index into it, gives."""
        flow = self.flow & (Flow.CHAT | Flow.TEXT)
        return Trace(flow | Flow.PART if Flow.FIELD in self.flow else flow, self.words)


UNKNOWN = Trace()


class TooComplex(Exception):
    """The template is beyond the limits of this check."""


class Walk(Protocol):
    """A reader of one template that goes over it until it learns nothing new."""

    found: frozenset[str]

    def once(self) -> bool:
        """One pass. Tells whether anything new became known."""


def settled(walk: Walk) -> frozenset[str]:
    """The words found when everything is known. Raises `TooComplex`."""
    for _ in range(_MAX_PASSES):
        if not walk.once():
            return walk.found
    raise TooComplex


def union(traces: Iterable[Trace]) -> Trace:
    return reduce(or_, traces, UNKNOWN)


def literal(text: str) -> Trace:
    return Trace(words=frozenset({text})) if _is_plain(text) else UNKNOWN


def field(name: str) -> Trace:
    """The value of a key or field of that name, of whatever object."""
    return Trace(Flow.FIELD) if name.lower() in _TEXT_FIELDS else UNKNOWN


def fields(names: Iterable[str]) -> Trace:
    return union(map(field, names))


def compared(left: Trace, right: Trace) -> frozenset[str]:
    """The words that a comparison of, or a search in, these two looks for in what was said."""
    return _sought(left, right) | _sought(right, left)


def _sought(said: Trace, words: Trace) -> frozenset[str]:
    if said.flow & (Flow.FIELD | Flow.TEXT):
        return words.words
    if Flow.PART in said.flow:  # longer texts are the keys of a part, such as `image`
        return frozenset(word for word in words.words if len(word) == 1)
    return frozenset()


def _is_plain(text: str) -> bool:
    """Whether somebody could say it by chance: it holds no tag, and letters or digits outside of other markup."""
    return not _TAG.search(text) and any(map(str.isalnum, _MARKUP.sub("", text)))


def _first(words: frozenset[str]) -> frozenset[str]:
    return frozenset(sorted(words)[:_MAX_WORDS])
