"""Measurements go into the history as they come, and are compared with what is there (contract meter §12, C1, C2, C9).

A history that cannot be used costs one warning and nothing else (C12). Databases block, so they work in threads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from puna.errors import DatabaseFailed
from puna.meter.cell import ModelResult
from puna.meter.history import Baseline, History, HistoryRow, alike
from puna.meter.plan import CellPlan, ListedModel, Plan, Target
from puna.meter.result import BenchmarkResult, ExportRow, export_row

EMBEDDED = "embedded"  # stands for the address of a runtime that lives as long as one command

T = TypeVar("T")
Describe = Callable[[ModelResult, str], str]
"""A model's result and its endpoint's address as JSON text."""


class Keeper:
    """`warning` says why nothing is kept; empty while everything is well."""

    def __init__(self, history: History, run_id: str, plan: Plan, *, embedded: bool, describe: Describe) -> None:
        self.run_id = run_id
        self.warning = ""
        self.earlier: tuple[HistoryRow, ...] = ()  # results of a run that is gone on with
        self._history = history
        self._plan = plan
        self._embedded = embedded
        self._describe = describe

    def resume(self) -> bool:
        """Go on with the newest run: what succeeded in it is not measured again. False without one."""
        try:
            newest = self._history.run_ids(1)
            rows = self._history.run(newest[0]) if newest else []
        except DatabaseFailed as error:
            self.warning = f"no history is kept: {error}"
            return False
        if newest:
            self.run_id, self.earlier = newest[0], tuple(row for row in rows if row.error is None)
        return bool(newest)

    def done(self, target: Target, models: Iterable[ListedModel]) -> dict[str, ExportRow]:
        """The rows of the models that were measured in the run that is gone on with, in the same way, by name."""
        earlier = {row.alike: row for row in self.earlier}
        found = {model.name: (model, earlier.get(self._key(target, model))) for model in models}
        return {name: _restored(model, row) for name, (model, row) in found.items() if row is not None}

    async def baselines(self, target: Target, models: Iterable[ListedModel]) -> dict[str, Baseline]:
        """By the models' names. They are read before anything is measured, so that opening disturbs no stamps."""
        keys = {model.name: self._key(target, model) for model in models}
        found = await self._tried(lambda: {name: self._history.baseline(key) for name, key in keys.items()})
        return {name: baseline for name, baseline in (found or {}).items() if baseline is not None}

    async def save(self, target: Target, result: ModelResult, row: ExportRow) -> None:
        """Another model may be measured meanwhile: all of the work is done beside the event loop."""
        now = datetime.now(UTC).isoformat()
        await self._tried(lambda: self._history.save(self._kept(now, target, result, row)))

    def _kept(self, now: str, target: Target, result: ModelResult, row: ExportRow) -> HistoryRow:
        plan, context = self._plan, row.context
        return HistoryRow(
            id=str(uuid4()),
            timestamp=now,
            model_name=row.model,
            model_size=row.size,
            quantization=row.quant,
            capabilities=row.capabilities,
            mode=row.mode,
            error=row.error,
            context_length=int(context) if context.isdecimal() else 0,
            num_predict=plan.settings.num_predict,
            parallel=plan.parallel,
            ttft=row.ttft,
            tps=row.tps,
            prompts=json.dumps(list(plan.cells[0].prompts)),
            run_id=self.run_id,
            alike=self._key(target, result.model),
            result=self._describe(result, self._address(target)),
        )

    def _key(self, target: Target, model: ListedModel) -> str:
        plan = self._plan
        return alike(
            url=self._address(target),
            digest=model.digest or model.name,
            prompts=[*plan.cells[0].prompts, *_unusual(plan)],
            num_predict=plan.settings.num_predict,
            think=plan.settings.think,
            parallel=plan.parallel,
        )

    def _address(self, target: Target) -> str:
        return EMBEDDED if self._embedded and target.is_local else target.endpoint.url

    async def _tried(self, work: Callable[[], T]) -> T | None:
        if self.warning:
            return None
        try:
            return await asyncio.to_thread(work)
        except DatabaseFailed as error:
            self.warning = f"no history is kept: {error}"
            return None


def _restored(model: ListedModel, row: HistoryRow) -> ExportRow:
    return export_row(model, BenchmarkResult(row.ttft, row.tps, row.error))


def _unusual(plan: Plan) -> list[str]:
    """What else makes two results incomparable; nothing for a plain measurement."""
    first, plain, settings = plan.cells[0], CellPlan(), plan.settings
    shape = {
        name: getattr(first, name)
        for name in ("depth", "concurrency", "arrival", "rate", "shape", "duration_s", "batch")
        if getattr(first, name) != getattr(plain, name)
    }
    pinned = {name: value for name, value in settings.options().items() if name not in ("num_predict", "seed")}
    whole = {**shape, **pinned, **({} if plan.warm_up else {"warm_up": False})}
    return [json.dumps(whole, sort_keys=True)] if whole else []
