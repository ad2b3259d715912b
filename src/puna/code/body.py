"""The rules that end a completion while it is being written: Z1 to Z4 and Z7 of contract code-completion §4.3.

A two-method stream. The beginning of a line, and the newline in front of it, is held back until it is decided that the
line belongs to the completion; from then on its text passes as it comes. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from puna.code.brackets import at_cursor
from puna.code.cursor import Cursor
from puna.code.lines import Check, Verdict, foreign, left_block, right_of, same_as, suffix_line


class Body:
    """`fired` is the rule that ended the text, or ""; nothing comes after it."""

    def __init__(self, cursor: Cursor, off: Set[str] = frozenset()) -> None:
        self._cursor = cursor
        self._off = off
        self._brackets = at_cursor(cursor.typed, cursor.suffix)
        self._anywhere: tuple[tuple[str, Check], ...] = (
            ("Z1", foreign(cursor.language)),
            ("Z4", suffix_line(cursor)),
        )
        self._below_first: tuple[tuple[str, Check], ...] = (("I4", right_of(cursor.min_indent)),)
        self._line = cursor.typed  # so far; the first one with what was typed
        self._start = len(cursor.typed)  # of what the model wrote of it
        self._held = ""  # not shown yet: an undecided line and the blank or repeated lines in front of it
        self._free = False  # the line is decided
        self._above = cursor.line_above
        self._equal = 1  # lines like `above`, one after another
        self._shown = False
        self.lines = 0  # that ended
        self.fired = ""

    def feed(self, text: str) -> str:
        shown = ""
        while text and not self.fired:
            piece, newline, text = text.partition("\n")
            if piece:
                shown += self._read(piece)
            if newline and not self.fired:
                shown += self._end_line()
        return shown

    def finish(self) -> str:
        """What was held back. Blank lines at the end go where the file goes on with a newline of its own."""
        shown = self._decided(whole=True)
        repeated = self._equal > 1 or self._repeats(whole=True) is Verdict.YES
        if self._held and repeated and not self._shown:  # nothing but the line above once more
            self._fire("Z7")
        rest, self._held = self._held, ""
        return shown + (rest.rstrip() if self._cursor.ends_line else rest)

    def _read(self, piece: str) -> str:
        """Text within a line."""
        stop = self._brackets.read(piece) if self._applies("Z3") else None
        self._line += piece[:stop]
        self._held += piece[:stop]
        shown = self._decided(whole=stop is not None)
        if stop is not None and not self.fired:
            self._fire("Z3")
        return shown

    def _end_line(self) -> str:
        shown = self._decided(whole=True)
        if self.fired:
            return shown
        self.lines += 1
        if rule := self._is_enough():
            if self._held:  # the only line is the one above once more
                rule = "Z7"
            self._fire(rule)
            return shown + ("\n" if rule == "Z2" and not self._cursor.typed else "")  # a line of its own was inserted
        self._begin_line()
        return shown

    def _is_enough(self) -> str:
        """The rule by which the completion ends at the end of this line."""
        if self._cursor.shape == "line":
            return "Z2" if self._visible() and "Z2" not in self._off else ""
        full = self.lines >= self._cursor.max_lines and not self._brackets.open
        return "Z3" if full and self._applies("Z3") else ""

    def _begin_line(self) -> None:
        if self.lines == 1:
            begun = bool(self._cursor.typed.strip())  # the line is the user's: what it opens is what is completed
            check = left_block(self._line, opens=begun)
            self._below_first += (("Z3", check),) if self._applies("Z3") else ()
        if self._line.strip():
            self._equal = self._equal + 1 if self._line.rstrip() == self._above else 1
            self._above = self._line.rstrip()
        self._brackets.read("\n")
        self._held += "\n"
        self._line, self._start, self._free = "", 0, False

    def _decided(self, *, whole: bool) -> str:
        """What may be shown now. A blank line waits for the one after it."""
        if not self._visible():
            return ""
        if not self._free:
            verdict, rule = self._judge(whole)
            if verdict is Verdict.YES:
                self._fire(rule)
            if verdict is not Verdict.NO:
                return ""
            self._free = True
        shown, self._held = self._held, ""
        self._shown = True
        return shown

    def _judge(self, whole: bool) -> tuple[Verdict, str]:
        """The first verdict that is not "no", and its rule: a later rule waits until an earlier one is decided."""
        for rule, check in self._checks():
            verdict = check(self._line, whole)
            if verdict is not Verdict.NO:
                return verdict, rule
        repeats = self._repeats(whole)
        if repeats is Verdict.YES and self._equal == 1:
            return Verdict.MAYBE, "Z7"  # twice is nothing yet
        return repeats, "Z7"

    def _checks(self) -> Iterator[tuple[str, Check]]:
        checks = self._anywhere if not self._cursor.typed.strip() or self.lines else ()
        below = self._below_first if self.lines else ()
        return ((rule, check) for rule, check in (*checks, *below) if rule not in self._off)

    def _repeats(self, whole: bool) -> Verdict:
        return Verdict.NO if "Z7" in self._off else same_as(self._above)(self._line, whole)

    def _visible(self) -> bool:
        return not self._line[self._start :].isspace() and len(self._line) > self._start

    def _applies(self, rule: str) -> bool:
        return self._cursor.shape == "block" and rule not in self._off

    def _fire(self, rule: str) -> None:
        self.fired, self._held = rule, ""
