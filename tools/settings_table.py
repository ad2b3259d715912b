"""Writes the README's settings table from `puna.settings.Settings`; with `--check` only says whether it is up to date.

.venv/bin/python tools/settings_table.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from puna.settings import Settings
from puna.units import NS, format_go_duration

README = Path(__file__).parent.parent / "README.md"
BEGIN = "<!-- settings: written by tools/settings_table.py -->\n"
END = "<!-- /settings -->\n"
HEAD = ("Variable", "Also read", "Default", "Meaning")


def main(arguments: list[str]) -> int:
    text = README.read_text(encoding="utf-8")
    fresh = with_table(text, table())
    if arguments == ["--check"]:
        if fresh == text:
            return 0
        print("README.md: the settings table is stale; run .venv/bin/python tools/settings_table.py", file=sys.stderr)
        return 1
    if arguments:
        print("usage: settings_table.py [--check]", file=sys.stderr)
        return 2
    README.write_text(fresh, encoding="utf-8")
    return 0


def with_table(text: str, table: str) -> str:
    """`text` with everything between the two marker lines replaced by `table`."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit("README.md: the two marker lines of the settings table are missing")
    return f"{before}{BEGIN}{table}{END}{after}"


def table() -> str:
    rows = [HEAD, ("---",) * len(HEAD), *map(_row, Settings.model_fields.values())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(field: FieldInfo) -> tuple[str, ...]:
    own, *others = _names(field)
    return f"`{own}`", ", ".join(f"`{name}`" for name in others), _default(field.default), field.description or ""


def _names(field: FieldInfo) -> Iterator[str]:
    if isinstance(field.validation_alias, AliasChoices):
        yield from map(str, field.validation_alias.choices)


def _default(value: object) -> str:
    """A default as a person would set it: durations in Go's form, booleans as words, nothing for unset."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int) and value >= NS:
        text = format_go_duration(value)
        return f"`{text.removesuffix('0s') if text.endswith('m0s') else text}`"
    return f"`{value}`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
