"""Reasoning apart from the answer, while both stream in (contract ollama-store §5.7, ollama-http §4.8)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from puna.prompts.gotemplate import GoTemplate
from puna.prompts.gotemplate.nodes import (
    Block,
    Field,
    Node,
    Pipe,
    Range,
    Text,
    Variable,
    blocks_of,
    pipes_of,
    references,
)

Tags = tuple[str, str]


class _State(Enum):
    OPENING = auto()  # nothing but blanks so far: the opening tag may come
    BEFORE_THINKING = auto()  # blanks after the opening tag are dropped
    THINKING = auto()
    BEFORE_CONTENT = auto()  # blanks after the closing tag are dropped
    CONTENT = auto()


class ThinkingParser:
    """Splits a model's text at the tags, which must stand at its beginning.

    The concatenated results do not depend on how the text was cut into pieces. `inside` starts behind the opening tag,
    for prompts that end with it.
    """

    def __init__(self, opening: str, closing: str, *, inside: bool = False) -> None:
        self._opening = opening
        self._closing = closing
        self._state = _State.BEFORE_THINKING if inside else _State.OPENING
        self._held = ""

    def feed(self, text: str) -> tuple[str, str]:
        """New (thinking, content); both may be empty while a tag is incomplete."""
        self._held += text
        thinking, content = "", ""
        if self._state is _State.OPENING:
            self._look_for_opening()
        if self._state is _State.BEFORE_THINKING:
            self._skip_blanks(_State.THINKING)
        if self._state is _State.THINKING:
            thinking = self._take_thinking()
        if self._state is _State.BEFORE_CONTENT:
            self._skip_blanks(_State.CONTENT)
        if self._state is _State.CONTENT:
            content, self._held = self._held, ""
        return thinking, content

    def finish(self) -> tuple[str, str]:
        """What was held back for a tag that never came."""
        held, self._held = self._held, ""
        if self._state is _State.THINKING:
            return held, ""
        return "", held if self._state is _State.OPENING else ""

    def _look_for_opening(self) -> None:
        text = self._held.lstrip()
        if text.startswith(self._opening):
            self._held = text[len(self._opening) :]
            self._state = _State.BEFORE_THINKING
        elif not self._opening.startswith(text):
            self._state = _State.CONTENT

    def _skip_blanks(self, following: _State) -> None:
        self._held = self._held.lstrip()
        if self._held:
            self._state = following

    def _take_thinking(self) -> str:
        thinking, tag, rest = self._held.partition(self._closing)
        if tag:
            self._state = _State.BEFORE_CONTENT
            self._held = rest
            return thinking
        keep = overlap(self._held, self._closing)
        thinking, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return thinking


def overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` may be the beginning of `tag`."""
    longest = min(len(text), len(tag) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(tag[:size])), 0)


def infer_tags(template: GoTemplate) -> Tags | None:
    """The tags that the template puts around `.Thinking` of old messages; None where it knows of none.

    Inside a range over the messages, the nearest block around the reference must begin and end with a text; the last
    such block counts, because a condition on `.Thinking` comes before its use.
    """
    tags: Tags | None = None
    for block in template.blocks.values():
        for around in _blocks_with_thinking(block, in_messages=False):
            first, last = around[0], around[-1]
            if isinstance(first, Text) and isinstance(last, Text) and first.text.strip() and last.text.strip():
                tags = first.text.strip(), last.text.strip()
    return tags


def _blocks_with_thinking(block: Block, *, in_messages: bool) -> Iterator[Block]:
    for node in block:
        if in_messages and any(_names_thinking(pipe) for pipe in pipes_of(node)):
            yield block
        inside = _is_range_over_messages(node) if isinstance(node, Range) else in_messages
        for inner in blocks_of(node):
            yield from _blocks_with_thinking(inner, in_messages=inside)


def _names_thinking(pipe: Pipe) -> bool:
    return any(reference.names[:1] == ("Thinking",) for reference in references(pipe))


def _is_range_over_messages(node: Node) -> bool:
    return any(
        isinstance(reference, Field | Variable) and "Messages" in reference.names
        for pipe in pipes_of(node)
        for reference in references(pipe)
    )
