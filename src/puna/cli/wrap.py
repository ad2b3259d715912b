"""Two ways to break text into lines: while it streams to a terminal, and in the cells of a table. Pure."""

from __future__ import annotations

from puna.cli.terminal import cells

MARGIN = 5  # columns left free at the right (contract ollama-store §6.5)
LONG_WORD = 10  # a word wider than the terminal less this is broken instead of moved
NARROWEST = 10  # columns; below this nothing is wrapped


class WordWrap:
    """Wraps a stream whose words are shown before they are complete.

    `feed` gives what to write for a piece of text. A word that turns out too long for its line is erased there and
    written again on the next one, which needs a terminal.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._limit = width - MARGIN
        self._column = 0
        self._word = ""  # the word at the end of the line, as far as it is known

    def feed(self, text: str) -> str:
        if self._width < NARROWEST:
            return text
        return "".join(map(self._char, text))

    def _char(self, char: str) -> str:
        if char == "\n":
            self._column, self._word = 0, ""
            return char
        width = cells(char)
        if self._column + width <= self._limit:
            self._column += width
            self._word = "" if char in " \t" or width > 1 else self._word + char
            return char
        return self._break(char, width)

    def _break(self, char: str, width: int) -> str:
        if char in " \t":  # the line ends here anyway
            self._column, self._word = 0, ""
            return "\n"
        moved = cells(self._word)
        if width > 1 or moved > self._width - LONG_WORD:  # wide characters break anywhere
            self._column, self._word = width, ("" if width > 1 else char)
            return f"\n{char}"
        self._word += char
        self._column = moved + width
        erase = f"\x1b[{moved}D\x1b[K" if moved else ""
        return f"{erase}\n{self._word}"


def wrap_cell(text: str, limit: int) -> list[str]:
    """Break `text` at blanks into lines of at most `limit` columns that are as equally full as possible.

    A single longer word widens the column for the whole cell. The cost of a line is its free columns squared, the
    last line is free (least raggedness, by dynamic programming from the end).
    """
    words = text.split()
    if not words:
        return [""]
    widths = [cells(word) for word in words]
    limit = max(limit, *widths)
    costs = [0.0] * (len(words) + 1)
    ends = [len(words)] * (len(words) + 1)
    for start in range(len(words) - 1, -1, -1):
        best, length = float("inf"), -1
        for end in range(start + 1, len(words) + 1):
            length += 1 + widths[end - 1]
            if length > limit:
                break
            cost = 0.0 if end == len(words) else (limit - length) ** 2 + costs[end]
            if cost < best:
                best, ends[start] = cost, end
        costs[start] = best
    lines, start = [], 0
    while start < len(words):
        lines.append(" ".join(words[start : ends[start]]))
        start = ends[start]
    return lines
