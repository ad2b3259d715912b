"""How an answer appears: text as it streams, thinking set apart, tool calls, and the numbers of `--verbose`.

Contract ollama-store §6.5. The printer writes to the stream it is given and knows nothing of servers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from puna.cli.terminal import printable
from puna.cli.wrap import WordWrap
from puna.units import NS, format_go_duration

_GREY, _BOLD, _RESET = "\x1b[90m", "\x1b[1m", "\x1b[0m"
_LABEL = 22  # columns of a label in the numbers


class AnswerPrinter:
    """Prints the pieces of one answer. `text` keeps what was said, `thinking` what was thought."""

    def __init__(self, out: TextIO, *, width: int, wrap: bool, hide_thinking: bool) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._wrap = WordWrap(width) if wrap and self._terminal else None
        self._hide_thinking = hide_thinking
        self._is_thinking = False
        self.text = ""
        self.thinking = ""

    def feed(self, text: str, thinking: str = "", tool_calls: list[Mapping[str, Any]] | None = None) -> None:
        if thinking:
            self._think(thinking)
        if text or tool_calls:
            self._end_thinking()
        if text:
            self.text += text
            self._write(text)
        for call in tool_calls or ():
            self._write(_tool_call_line(call))
        self._out.flush()

    def finish(self) -> None:
        """Close what is open: an answer may consist of thinking only."""
        self._end_thinking()
        self._out.flush()

    def _think(self, text: str) -> None:
        self.thinking += text
        if self._hide_thinking:
            return
        if not self._is_thinking:
            self._is_thinking = True
            self._marker("Thinking...\n")
            if self._terminal:
                self._out.write(_GREY)
        self._write(text)

    def _end_thinking(self) -> None:
        if not self._is_thinking:
            return
        self._is_thinking = False
        if not self.thinking.endswith("\n"):
            self._write("\n")
        self._marker("...done thinking.\n\n")

    def _marker(self, text: str) -> None:
        self._out.write(f"{_GREY}{_BOLD}{text}{_RESET}" if self._terminal else text)

    def _write(self, text: str) -> None:
        if self._terminal:
            text = printable(text)
        self._out.write(self._wrap.feed(text) if self._wrap else text)


def _tool_call_line(call: Mapping[str, Any]) -> str:
    function = call.get("function") or {}
    arguments = json.dumps(function.get("arguments") or {}, ensure_ascii=False, separators=(",", ":"))
    return f"  Model called a non-existent function '{function.get('name')}()' with arguments: {arguments}\n"


def metrics(final: Mapping[str, Any]) -> str:
    """The lines of `--verbose` for the last object of an answer; what is zero or missing is left out."""
    return "".join(f"{label:<{_LABEL}}{value}\n" for label, value in _metrics(final))


def _metrics(final: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, label in (("total_duration", "total duration:"), ("load_duration", "load duration:")):
        if duration := final.get(key):
            yield label, format_go_duration(int(duration))
    for key, label in (("prompt_eval", "prompt eval"), ("eval", "eval")):
        count, duration = int(final.get(f"{key}_count") or 0), int(final.get(f"{key}_duration") or 0)
        if count:
            yield f"{label} count:", f"{count} token(s)"
        if duration:
            yield f"{label} duration:", format_go_duration(duration)
            yield f"{label} rate:", f"{count / duration * NS:.2f} tokens/s"
