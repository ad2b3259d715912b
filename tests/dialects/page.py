"""docs/dialects.md, made from the tables that the tests run through: `python -m tests.dialects.page` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from tests.dialects import anthropic, ollama, openai
from tests.dialects.fields import Field
from tests.house.tree import ROOT

ROUTES = (*ollama.ROUTES, *openai.ROUTES, *anthropic.ROUTES)
PAGE = ROOT / "docs/dialects.md"

HEAD = """\
# What becomes of each field

Every field of every request body, what Puna does with it, and the test that shows it.
This page is written by `python -m tests.dialects.page` from the tables that those tests run through.

- **honoured**: the answer depends on it, or what is stored does. A value that it cannot have is a 400 that says so.
- **refused**: not possible here. The request is a 400 that names the field, so that nobody waits for an effect.
- **no effect**: accepted, and the answer is the same with and without it. Fields that are not on this page are
  such fields too.

`messages[].role` is the field `role` of each object in the list `messages`. A field that is `null` counts as absent.
"""


def page() -> str:
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for dialect, routes in groupby(ROUTES, lambda route: route.dialect):
        yield f"## {dialect}\n"
        for route in routes:
            yield f"### {route.title}\n"
            if route.note:
                yield f"{route.note}\n"
            yield "| Field | | | Test |\n| --- | --- | --- | --- |"
            yield from map(_row, route.fields)
            yield ""


def _row(field: Field) -> str:
    file, _, test = field.shown_by.partition("::")
    return f"| `{field.name}` | {field.fate} | {field.note} | [{test}](../{file}) |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
