"""Where a completion goes: the text around it, as the rules of contract code-completion §4.3 ask about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Shape = Literal["line", "block", "raw"]
"""How far a completion goes: to the end of the line, to the end of the block, or as far as the model likes."""


@dataclass(frozen=True)
class Cursor:
    prefix: str
    suffix: str = ""
    language: str = ""
    shape: Shape = "block"
    max_lines: int = 16
    min_indent: int = 0  # of every line but the first (I4)

    @cached_property
    def typed(self) -> str:
        """The text on the cursor's line before it."""
        return self.prefix.rpartition("\n")[2]

    @cached_property
    def rest(self) -> str:
        """The text on the cursor's line after it."""
        return self.suffix.partition("\n")[0].rstrip("\r")

    @cached_property
    def line_above(self) -> str:
        """The last line above the cursor's that is not blank."""
        above = self.prefix[: len(self.prefix) - len(self.typed)].rstrip()
        return above.rpartition("\n")[2]

    @cached_property
    def line_below(self) -> str:
        """The first line below the cursor's that is not blank."""
        lines = (line.rstrip() for line in self.suffix.partition("\n")[2].split("\n"))
        return next((line for line in lines if line), "")

    @cached_property
    def ends_line(self) -> bool:
        """Whether nothing visible follows on the cursor's line."""
        return not self.rest.strip()

    @cached_property
    def has_crlf(self) -> bool:
        return "\r\n" in self.prefix or "\r\n" in self.suffix
