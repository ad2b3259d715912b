"""Tables as Ollama prints them: left aligned, no rules, cells padded to the column (contract ollama-store §6.3). Pure.

The trailing blanks are part of the form: scripts cut by column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from puna.cli.terminal import cells, printable

PADDING = "    "


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Header and rows, each line with its newline. The header line is there even without rows."""
    body = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cells, column)) for column in zip(header, *body, strict=True)]
    head = _line(header, widths)
    return "".join((head, " \n", *(f"{_line(row, widths)}{PADDING}\n" for row in body)))


def indented(title: str, rows: Iterable[Sequence[str]]) -> str:
    """A section of `show`: title, rows indented by four columns, an empty line (§6.4)."""
    body = [[printable(cell) for cell in row] for row in rows]
    columns = max(map(len, body), default=0)
    full = [[*row, *[""] * (columns - len(row))] for row in body]
    widths = [max(map(cells, column)) for column in zip(*full, strict=True)]
    lines = (f"{PADDING}{_line(row, widths)}{PADDING}\n" for row in full)
    return "".join((f"  {title}\n", *lines, "\n"))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return PADDING.join(cell + " " * (width - cells(cell)) for cell, width in zip(row, widths, strict=True))
