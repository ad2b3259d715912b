"""What one call of `puna meter` is to do, checked. Plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from puna.errors import BadRequest
from puna.meter.matching import match_model
from puna.meter.plan import ListedModel, Plan
from puna.meter.result import Stat
from puna.meter.slo import Slo
from puna.meter.sorting import SortSpec

Kind = Literal["json", "csv", "v2", "md", "html", "raw"]


@dataclass(frozen=True, slots=True)
class Output:
    """A form of the results, and the file that it goes to."""

    kind: Kind
    path: Path | None = None  # None = standard output

    @property
    def replaces_tables(self) -> bool:
        """Whether it is wanted instead of a table on the terminal (contract meter §7)."""
        return self.kind in ("json", "csv", "v2")

    def check(self) -> None:
        """Raises `BadRequest` for a file that cannot be written."""
        if self.path is not None and (self.path.is_dir() or not self.path.absolute().parent.is_dir()):
            raise BadRequest(f"{self.path} cannot be written: give a file in a folder that is there")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    models: tuple[str, ...] = ()  # none = all
    family: bool = False
    show_ttft: bool = False
    show_tps: bool = False
    verbose: bool = False
    details: bool = False  # the second table
    export_only: bool = False  # no tables at all
    outputs: tuple[Output, ...] = ()
    sort: SortSpec | None = None
    stat: Stat = "median"
    slo: Slo | None = None
    strict: bool = False
    resume: bool = False
    plan: Plan = field(default_factory=Plan)
    arguments: tuple[str, ...] = ()  # as typed, without secrets

    @property
    def measuring(self) -> bool:
        return self.show_ttft or self.show_tps

    @property
    def num_runs(self) -> int:
        """Runs of the first cell, which are a table's numbered columns."""
        first = self.plan.cells[0]
        return len(first.prompts) * first.repeats

    def wants(self, model: ListedModel) -> bool:
        return not self.models or any(match_model(model.name, name, family=self.family) for name in self.models)
