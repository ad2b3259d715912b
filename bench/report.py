"""One run as a table, as JSON, and as the table in the README between its two marker lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Self

from rich.box import SIMPLE
from rich.table import Table

from bench.figures import Figure, Goal

BEGIN = "<!-- bench: written by `make bench` -->\n"
END = "<!-- /bench -->\n"
HEAD = ("What", "Where", "Puna", "Baseline", "Result", "95 % interval", "Goal")


@dataclass(frozen=True, slots=True)
class Report:
    when: str  # UTC, RFC 3339 to the minute
    machine: Mapping[str, Any]
    conditions: Mapping[str, Any]
    figures: Sequence[Figure]

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The cells of the table, one row per figure."""
        for figure in self.figures:
            unit = figure.unit
            sides = [f"{number(median(side))} {unit}" if side else "" for side in (figure.puna, figure.base)]
            bounds = " to ".join(map(number, figure.interval)) if figure.interval else ""
            yield figure.what, figure.case, *sides, _result(figure), bounds, _goal(figure)

    def beside(self, earlier: Report) -> Report:
        """With the figures of `earlier` that were not measured anew; the conditions say when those were taken."""
        new = {(figure.what, figure.case) for figure in self.figures}
        kept = [figure for figure in earlier.figures if (figure.what, figure.case) not in new]
        conditions = {**self.conditions, "figures_kept_from": {earlier.when: list(dict.fromkeys(f.what for f in kept))}}
        return replace(self, conditions=conditions, figures=[*kept, *self.figures])

    def table(self) -> Table:
        table = Table(*HEAD, title=self.caption(), box=SIMPLE)
        for figure, row in zip(self.figures, self.rows(), strict=True):
            table.add_row(*row, style="bold red" if figure.met is False else None)
        return table

    def caption(self) -> str:
        machine, versions = self.machine, self.machine["versions"]
        return (
            f"{self.when[:10]}: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
            f"{machine['system']}, GPU {machine['gpu']}; Puna {versions['puna']}, xllamacpp {versions['xllamacpp']}, "
            f"Python {versions['python']}"
        )

    def markdown(self) -> str:
        rows = [HEAD, ("---",) * len(HEAD), *self.rows()]
        return f"{self.caption()}.\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)

    def to_json(self) -> str:
        """One line per figure, so that two runs can be compared line by line."""
        head = {"when": self.when, "machine": self.machine, "conditions": self.conditions}
        figures = ",\n".join(json.dumps(_with_medians(figure), ensure_ascii=False) for figure in self.figures)
        return f'{json.dumps(head, indent=1, ensure_ascii=False)[:-2]},\n "figures": [\n{figures}\n]}}\n'

    @classmethod
    def from_json(cls, text: str) -> Self:
        value = json.loads(text)
        names = Figure.__dataclass_fields__
        figures = [{key: item for key, item in figure.items() if key in names} for figure in value["figures"]]
        for figure in figures:
            figure["goal"] = Goal(**figure["goal"]) if figure["goal"] else None
        return cls(value["when"], value["machine"], value["conditions"], [Figure(**figure) for figure in figures])

    def save(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.when.replace(':', '')}.json"
        path.write_text(self.to_json(), encoding="utf-8")
        return path


def newest(folder: Path) -> Report:
    """The last report that was saved. Raises `ValueError` when there is none."""
    return Report.from_json(max(folder.glob("*.json")).read_text(encoding="utf-8"))


def with_table(text: str, table: str) -> str:
    """`text` with everything between the two marker lines replaced by `table`. Raises `ValueError` without them."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError("the two marker lines of the bench table are missing")
    return f"{before}{BEGIN}{table}{END}{after}"


def number(value: float) -> str:
    """Three digits, or all of them before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _result(figure: Figure) -> str:
    if figure.compare == "ratio":
        return f"{number(figure.value)} ×"
    return f"{'+' if figure.compare == 'added' and figure.value > 0 else ''}{number(figure.value)} {figure.unit}"


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    sign = "≥" if figure.goal.sense == "at least" else "≤"
    return f"{sign} {number(figure.goal.limit)}: {'met' if figure.met else 'missed'}"


def _with_medians(figure: Figure) -> dict[str, Any]:
    """Everything that the samples give is written out too, for readers that only want the numbers."""
    value = asdict(figure)
    value["puna"], value["base"] = ([float(f"{sample:.6g}") for sample in side] for side in (figure.puna, figure.base))
    derived = {
        "puna_median": median(figure.puna),
        "base_median": median(figure.base) if figure.base else None,
        "value": figure.value,
        "interval": figure.interval,
        "met": figure.met,
    }
    return value | derived
