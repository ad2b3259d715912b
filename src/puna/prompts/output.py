"""A raw answer taken apart: reasoning first, then tool calls in what is left."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from puna.prompts.choice import TemplateChoice
from puna.prompts.messages import ToolCall
from puna.prompts.thinking import Tags, ThinkingParser, infer_tags
from puna.prompts.toolcalls import ToolCallParser, infer_tag

_JINJA_TAGS = ("<think>", "</think>")  # what makes a Jinja template one that thinks (ollama-store §5.7)


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that a model said; exactly one field is set."""

    text: str = ""
    thinking: str = ""
    tool_call: ToolCall | None = None


class OutputParser:
    """`feed` and `finish` give pieces in order; without tags or tools the text passes through."""

    def __init__(self, thinking: ThinkingParser | None, tools: ToolCallParser | None) -> None:
        self._thinking = thinking
        self._tools = tools

    def feed(self, text: str) -> list[Piece]:
        if self._thinking is None:
            return self._content(text)
        thinking, content = self._thinking.feed(text)
        return _thought(thinking) + self._content(content)

    def finish(self) -> list[Piece]:
        pieces: list[Piece] = []
        if self._thinking is not None:
            thinking, content = self._thinking.finish()
            pieces = _thought(thinking) + self._content(content)
        if self._tools is not None:
            pieces += map(_said, self._tools.finish())
        return pieces

    def _content(self, text: str) -> list[Piece]:
        if not text:
            return []
        return [Piece(text)] if self._tools is None else [_said(said) for said in self._tools.feed(text)]


def output_parser(
    choice: TemplateChoice, prompt: str, think: bool | str | None, *, tools: bool, tool_names: Collection[str] = ()
) -> OutputParser:
    """The parser for one answer to the rendered `prompt`.

    Reasoning is looked for in models whose template knows tags, also when it was not wanted (`think` False) and comes
    nevertheless, but not where `think` is None: the model has no such capability (ollama-http §4.8). A prompt that ends
    with the opening tag means that the answer begins inside. `tool_names` are the tools on offer, empty = any.
    """
    tags = thinking_tags(choice) if think is not None else None
    thinking = ThinkingParser(*tags, inside=prompt.rstrip().endswith(tags[0])) if tags else None
    calls = ToolCallParser(infer_tag(choice.go), tool_names) if choice.go is not None and tools else None
    return OutputParser(thinking, calls)


def closing_thought(choice: TemplateChoice, prompt: str) -> str:
    """What ends the thought that the rendered `prompt` has opened for the answer; empty where it has opened none."""
    tags = thinking_tags(choice)
    return f"\n{tags[1]}\n\n" if tags and prompt.rstrip().endswith(tags[0]) else ""


def thinking_tags(choice: TemplateChoice) -> Tags | None:
    """What stands before and after a thought; None where the template knows of none."""
    return infer_tags(choice.go) if choice.go is not None else _JINJA_TAGS


def _thought(text: str) -> list[Piece]:
    return [Piece(thinking=text)] if text else []


def _said(said: str | ToolCall) -> Piece:
    return Piece(said) if isinstance(said, str) else Piece(tool_call=said)
