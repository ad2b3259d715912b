"""The first of several texts ends the answer (contract code-completion §4.3 Z1). A two-method stream, pure."""

from __future__ import annotations

from collections.abc import Iterable


class StopTexts:
    """What could be the beginning of a stop is held back until it is decided. `found` is the stop that came, or "".

    The stop that is complete first wins, so that the result does not depend on how the text is cut.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.found = ""

    def feed(self, text: str) -> str:
        """The text that is decided. Nothing comes any more when a stop was found."""
        if self.found:
            return ""
        text = self._held + text
        hits = [(start + len(stop), start, stop) for stop in self._stops if (start := text.find(stop)) >= 0]
        if hits:
            _, start, self.found = min(hits)
            self._held = ""
            return text[:start]
        keep = max((overlap(text, stop[:-1]) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """What was held back and became no stop."""
        rest, self._held = self._held, ""
        return rest


def overlap(text: str, other: str) -> int:
    """The length of the longest end of `text` that is a beginning of `other`."""
    longest = min(len(text), len(other))
    return next((size for size in range(longest, 0, -1) if text.endswith(other[:size])), 0)
