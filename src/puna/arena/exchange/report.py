"""Boards, votes and sessions to read: as Markdown, or as one page without a script (contract arena §2.11; threats T25).

Everything a person or a model wrote passes Jinja's escaping on the page. In Markdown texts stand in fences that they
cannot end, and names have their signs escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from jinja2 import Template
from markupsafe import Markup

from puna.arena.ballots import Ballot
from puna.arena.blind import battle_wire
from puna.arena.exchange.templating import environment
from puna.arena.plots import LIGHT, PLOTS, View
from puna.arena.plots.svg import plain
from puna.arena.record import BattleRecord
from puna.arena.standings import Standing
from puna.arena.storage.session import Session

Form = Literal["md", "html"]

LAST = 200
"""Votes, battles and sessions that a report has, of each the newest. The other forms have all of them."""

_SIGNS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&])")
_RUN = re.compile("`+")
_FENCE = "```"


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What of it is None or empty has no section."""

    title: str
    standing: Standing | None = None
    votes: Sequence[Ballot] = ()
    sessions: Sequence[Session] = ()
    battles: Sequence[BattleRecord] = ()


def render(report: Report, form: Form) -> str:
    return _template(form).render(
        report=report,
        standing=report.standing,
        plots=_plots(report.standing) if form == "html" else (),
        battles=[battle_wire(record) for record in report.battles],
    )


def _plots(standing: Standing | None) -> list[dict[str, Any]]:
    """Those that have something to show."""
    drawn = [draw(View.of(standing)) for draw in PLOTS.values()] if standing and standing.boards else []
    return [
        {"title": plot.title, "words": plot.description, "drawing": Markup(plot.svg(LIGHT))}  # noqa: S704 - escaped
        for plot in drawn
        if plot.table.rows
    ]


@cache
def _template(form: Form) -> Template:
    return environment(inline=_inline, fenced=_fenced, plain=plain).get_template(f"report.{form}.j2")


def _inline(value: object) -> str:
    """A name, a title or a number within a line or a cell of Markdown."""
    return _SIGNS.sub(r"\\\1", plain(" ".join(str(value).split())))


def _fenced(text: str) -> str:
    """A text of any length; its fence is longer than any that it holds."""
    longest = max((len(run) for run in _RUN.findall(text)), default=0)
    fence = "`" * max(longest + 1, len(_FENCE))
    lines = "\n".join(plain(line.replace("\t", "    ")) for line in text.splitlines())
    return f"{fence}text\n{lines}\n{fence}"
