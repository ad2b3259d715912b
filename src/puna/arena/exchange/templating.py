"""How files for people are written: templates of this folder, everything in pages escaped."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def environment(**filters: Callable[..., str]) -> Environment:
    found = Environment(
        loader=PackageLoader("puna.arena.exchange"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= filters
    return found
