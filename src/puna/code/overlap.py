"""What a completion repeats of the text around it: Z5 to Z8 of contract code-completion §4.3. Pure.

Two-method streams: `feed` gives what is decided, `finish` the rest.

What may have to go is held back until it is decided, so that a streamed answer is the same as a whole one.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Set

from puna.code.brackets import Brackets
from puna.code.cursor import Cursor
from puna.code.stops import overlap

SUFFIX_READ = 2000  # characters of the suffix that a completion may end with
ECHO_MIN = 3  # visible characters on the line that are worth looking for: shorter ones repeat in good code
_BLANKS_BEFORE_NEWLINE = re.compile(r"[ \t]+(?=\r*\n)")


class Head:
    """Z6: the text typed on the line, written once more. Z7: nothing but blanks."""

    def __init__(self, cursor: Cursor, off: Set[str] = frozenset()) -> None:
        typed = cursor.typed.lstrip()
        echoes = len(typed.strip()) >= ECHO_MIN and "Z6" not in off
        self._echo = typed if echoes else ""
        self._keeps_blanks = "Z7" in off
        self._held = ""
        self._decided = False
        self.fired = ""

    def feed(self, text: str) -> str:
        if self._decided:
            return text
        self._held += text
        visible = self._held.lstrip()
        if not visible or (len(visible) < len(self._echo) and self._echo.startswith(visible)):
            return ""
        self._decided = True
        if self._echo and visible.startswith(self._echo):
            self.fired = "Z6"
            return visible.removeprefix(self._echo)
        return self._held

    def finish(self) -> str:
        if self._decided:
            return ""
        self._decided = True
        if self._held.strip() or self._keeps_blanks:
            return self._held
        self.fired = "Z7" if self._held else ""
        return ""


class Tail:
    """Z5: the end of the completion that is the beginning of the suffix. Z8: blanks at the ends of lines, and CR."""

    def __init__(self, cursor: Cursor, off: Set[str] = frozenset()) -> None:
        self._suffix = "" if "Z5" in off else cursor.suffix[:SUFFIX_READ]
        self._strips = "Z8" not in off
        self._drops_cr = self._strips and not cursor.has_crlf
        self._ends_line = not cursor.rest
        self._brackets = Brackets()  # of what was shown
        self._held = ""
        self.fired: set[str] = set()

    def feed(self, text: str) -> str:
        text = self._held + text
        keep = overlap(text, self._suffix)
        shown = text[: len(text) - keep].rstrip(" \t\r")
        self._held = text[len(shown) :]
        return self._show(shown)

    def finish(self) -> str:
        text, self._held = self._held, ""
        sizes = range(overlap(text, self._suffix), 0, -1)
        cut = next((size for size in sizes if self._is_of_suffix(text, size)), 0)
        if cut:
            self.fired.add("Z5")
            text = text[: len(text) - cut]
        if self._strips and self._ends_line and text != text.rstrip(" \t\r"):
            self.fired.add("Z8")
            text = text.rstrip(" \t\r")
        return self._show(text)

    def _show(self, text: str) -> str:
        self._read(self._brackets, text)
        if not self._strips:
            return text
        clean = _BLANKS_BEFORE_NEWLINE.sub("", text.replace("\r", "") if self._drops_cr else text)
        if clean != text:
            self.fired.add("Z8")
        return clean

    def _is_of_suffix(self, text: str, size: int) -> bool:
        """Whether the last `size` characters repeat the suffix: within a line, or up to the end of one of its lines.

        They do not when they close a bracket that the completion opened: `len(x)` in `print(|)` is whole.
        """
        tail, rest = text[len(text) - size :], self._suffix[size:]
        if not self._suffix.startswith(tail):
            return False
        if "\n" in tail and not (tail.endswith("\n") or rest.startswith(("\n", "\r")) or not rest):
            return False
        own = copy.deepcopy(self._brackets)
        self._read(own, text[: len(text) - size])
        ours, theirs = own.read(tail), Brackets().read(tail)
        return theirs is None or (ours is not None and ours <= theirs)

    @staticmethod
    def _read(brackets: Brackets, text: str) -> None:
        while (at := brackets.read(text)) is not None:
            text = text[at + 1 :]
