"""What a terminal may be sent, and how wide it is. No text of a model or a server may carry control codes to it."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TextIO

DEFAULT_WIDTH = 80  # columns, when nobody knows

# C0 without newline and tab, DEL, C1: what starts an escape sequence, moves the cursor, or writes the clipboard.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """`text` without control characters other than newline and tab."""
    return _CONTROLS.sub("", text)


def shown(text: str, stream: TextIO) -> str:
    """`text` as it may be written to `stream`: a file or a pipe gets every character, a terminal no control codes."""
    return printable(text) if stream.isatty() else text


def width() -> int:
    """The terminal's columns."""
    return shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns


def cells(text: str) -> int:
    """How many columns `text` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # 40 ms, only for text that needs it

    return cell_len(text)


def note(text: str) -> None:
    """One line for the person, beside the command's output."""
    print(printable(text), file=sys.stderr)
