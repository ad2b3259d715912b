"""A prompt in pieces: what the format says and what the user wrote, never mixed up (contract code-completion §1.6 V2).

`FimPrompt.text` is for upstreams that read one string with special tokens in it. A marker inside the user's text would
become a control token there, so it is broken by an invisible character behind its first; `unguard` takes that out of
the output again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

WORD_JOINER: Final = "\u2060"  # no width, no meaning, no part of any marker


@dataclass(frozen=True, slots=True)
class ContextFile:
    """Text from elsewhere in the repository."""

    filename: str  # empty = nobody knows
    text: str


@dataclass(frozen=True, slots=True)
class CommentStyle:
    """How a language writes a comment of one line."""

    opening: str = "#"
    closing: str = ""  # empty = the line's end closes it

    def wrap(self, text: str) -> str:
        """Every line of `text` as a comment, with a newline at the end."""
        lines = text.replace(self.closing, "") if self.closing else text
        tail = f" {self.closing}" if self.closing else ""
        return "".join(f"{self.opening} {line}{tail}\n" for line in lines.splitlines())


@dataclass(frozen=True, slots=True)
class FimParts:
    """What is known about the cursor. All of it is the user's text."""

    prefix: str
    suffix: str = ""
    typed: str = ""  # the end of the prefix that goes behind the middle marker (PSM, §4.2 line-split prompt)
    path: str = ""
    language: str = ""
    repo: str = ""
    extra: tuple[ContextFile, ...] = ()
    comment: CommentStyle = CommentStyle()  # for formats that have no other place for context files


@dataclass(frozen=True, slots=True)
class Segment:
    """Control text belongs to the format: special tokens are read in it. User text is nothing but text."""

    text: str
    control: bool


@dataclass(frozen=True, slots=True)
class FimPrompt:
    """A rendered prompt. An engine that takes token ids reads the segments, everyone else `text`."""

    segments: tuple[Segment, ...]
    guarded: tuple[str, ...] = ()  # texts that would be control tokens

    @property
    def text(self) -> str:
        """One string, every control token in user text broken by U+2060 (V2)."""
        return "".join(part.text if part.control else guard(part.text, self.guarded) for part in self.segments)


def guard(text: str, controls: tuple[str, ...]) -> str:
    """`text` with U+2060 after the first character of each of `controls` found in it."""
    return _pattern(controls).sub(rf"\g<0>{WORD_JOINER}", text) if controls else text


def unguard(text: str) -> str:
    """Output without the characters that `guard` put in. Every piece of a stream can be treated by itself."""
    return text.replace(WORD_JOINER, "")


@lru_cache(maxsize=64)
def _pattern(controls: tuple[str, ...]) -> re.Pattern[str]:
    """The first character of any of `controls`; they are grouped by it, because a vocabulary may have a thousand."""
    rests: dict[str, list[str]] = {}
    for control in dict.fromkeys(controls):
        rests.setdefault(control[0], []).append(re.escape(control[1:]))
    return re.compile("|".join(f"{re.escape(first)}(?=(?:{'|'.join(found)}))" for first, found in rests.items()))


def merged(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Neighbours of one kind joined and empty ones left out, so that no marker hides on a seam of user text."""
    found: list[Segment] = []
    for segment in segments:
        if found and found[-1].control == segment.control:
            found[-1] = Segment(found[-1].text + segment.text, segment.control)
        elif segment.text:
            found.append(segment)
    return tuple(found)
