"""How far a completion goes when nobody says: contract code-completion §1.5 (`code.mode`). Pure."""

from __future__ import annotations

from puna.code.cursor import Shape
from puna.code.languages import comment_style
from puna.code.types import Mode

_USUAL_COMMENTS = ("# ", "//")  # where the language is unknown; `#` alone begins much else


def shape_of(mode: Mode, prefix: str, suffix: str, language: str) -> Shape:
    """`auto` is "line" when visible text follows on the cursor's line or the line is a comment, else "block"."""
    match mode:
        case "line" | "block" | "raw":
            return mode
        case "warm":
            return "raw"
    typed = prefix.rpartition("\n")[2].lstrip()
    comments = (comment_style(language).opening,) if language else _USUAL_COMMENTS
    follows = suffix.partition("\n")[0].strip()
    return "line" if follows or typed.startswith(comments) else "block"
