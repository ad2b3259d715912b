"""One call of `puna meter`: list, describe, measure, show, keep; one endpoint after the other (contract meter §4, §7).

Tag lists of all endpoints come first, then each endpoint is described, measured and shown completely. What was
measured when the person interrupts it is in `rows` and `results` (C9).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError, ServerUnreachable
from puna.client.timed import TimedClient
from puna.meter.cell import EndpointInfo, ModelResult
from puna.meter.details import details_table
from puna.meter.events import ModelEnded
from puna.meter.formats import plain
from puna.meter.history import Baseline
from puna.meter.host import endpoint_info
from puna.meter.keeping import Keeper
from puna.meter.listing import described, list_models
from puna.meter.live import Board
from puna.meter.measure import Measurement
from puna.meter.options import Options
from puna.meter.plan import ListedModel, Target
from puna.meter.result import ExportRow, benchmark_result, export_row
from puna.meter.sorting import sort_results
from puna.meter.table import FittedTable, TableRow, View, title
from puna.meter.trend import trend

OK, FAILED, NOTHING_MEASURED, PARTLY_FAILED = 0, 1, 3, 4
"""Exit statuses (§13, C10)."""

NO_KEY = "OLLAMA_CLOUD_API_KEY not found."
NO_KEY_HINT = "Measuring cloud models needs a key: set it in the environment or in a .env file."


@dataclass(slots=True)
class _Place:
    """An endpoint with its open client and what it lists."""

    target: Target
    client: TimedClient
    listed: list[ListedModel] = field(default_factory=list)
    reached: bool = False


class Session:
    """`run` is called once; the rest tells what came of it, at any moment."""

    def __init__(
        self, options: Options, targets: Sequence[Target], console: Console, keeper: Keeper | None = None
    ) -> None:
        self.rows: list[ExportRow] = []  # of all endpoints, each endpoint's sorted
        self.results: list[ModelResult] = []
        self.endpoints: list[EndpointInfo] = []
        self._options = options
        self._targets = targets
        self._keeper = keeper
        self._console = console
        self._reached: list[str] = []
        self._found_none = False  # models were named, and no endpoint has them
        self._failures = 0
        self._tables = 0

    @property
    def status(self) -> int:
        if not self._reached:
            return NOTHING_MEASURED
        if self._found_none:
            return FAILED
        if self._options.measuring and not any(row.measured for row in self.rows):
            return NOTHING_MEASURED
        return PARTLY_FAILED if self._options.strict and self._failures else OK

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            places = [
                _Place(target, await stack.enter_async_context(TimedClient(target.endpoint)))
                for target in self._targets
            ]
            for place in places:
                await self._list(place)
            if self._options.models and self._reached and not any(place.listed for place in places):
                self._found_none = True
                names, searched = ", ".join(self._options.models), ", ".join(self._reached)
                self._say("✗", f"No model matching '{names}' found in {searched}.", "red")
                return
            for place in places:
                if place.listed:
                    await self._show(place)
                elif not (place.reached and self._options.models):
                    self._say("", f"No {place.target.name} models found.")
        if self._keeper is not None and self._keeper.warning:
            self._say("⚠", self._keeper.warning, "yellow")

    async def _list(self, place: _Place) -> None:
        name = place.target.name
        try:
            with self._console.status(Text(f"Fetching {name} models…")):
                found = await list_models(place.client, place.target, lambda text: self._say("⚠", text, "yellow"))
        except ClientError as error:
            self._failures += 1
            text = why(error, name, place.target.endpoint)
            if name == "cloud":
                self._say("✗", f"Failed to fetch cloud models: {text}", "red")
            else:
                self._say("⚠", f"Skipping {'local Ollama' if name == 'local' else name} ({text}).", "yellow")
            return
        self._reached.append(name)
        place.reached = True
        once: dict[str, ListedModel] = {}
        for model in found:  # a server may list a name twice
            once.setdefault(model.name, model)
        place.listed = [model for model in once.values() if self._options.wants(model)]

    async def _show(self, place: _Place) -> None:
        options, target = self._options, place.target
        with self._console.status(Text(f"Fetching details for {len(place.listed)} model(s)…")):
            models = await described(place.client, target, place.listed, parallel=options.plan.parallel)
        errors = [f"{model.name} /api/show failed: {model.show_error}" for model in models if model.show_error]
        if self._tables and not options.export_only:
            self._console.print()
        self._tables += 1
        view = View(
            title(target.name, options.models), options.show_ttft, options.show_tps, options.verbose, options.num_runs
        )
        if options.measuring:
            await self._measure(place, models, view, errors)
        else:
            self.rows += (rows := sort_results([export_row(model) for model in models], options.sort))
            if not options.export_only:
                self._console.print(FittedTable(view, [TableRow(row) for row in rows]))
        self._failures += len(errors)
        for error in errors:
            self._say("⚠", error, "yellow")

    async def _measure(self, place: _Place, models: list[ListedModel], view: View, errors: list[str]) -> None:
        options, target, keeper = self._options, place.target, self._keeper
        if target.name == "cloud" and not target.endpoint.api_key:
            self._say("⚠", f"{NO_KEY} {NO_KEY_HINT}", "yellow")
        baselines = {} if keeper is None else await keeper.baselines(target, models)
        rows = {} if keeper is None else keeper.done(target, models)
        self.endpoints.append(await endpoint_info(place.client, target))
        left = [model for model in models if model.name not in rows]
        measurement = Measurement(place.client, target, left, options.plan)
        order = {model.name: index for index, model in enumerate(models)}
        with Board(self._console, None if options.export_only else view, len(models)) as board:
            for row in rows.values():
                board.place(order[row.model], _compared(row, baselines))
            try:
                async with aclosing(_ended(measurement)) as ended:
                    async for result in ended:
                        row = self._row(result)
                        errors += [f"{row.model}: {row.error}"] if row.error else []
                        board.place(order[row.model], _compared(row, baselines))
                        if keeper is not None:
                            await keeper.save(target, result, row)
            finally:  # also what an interruption left unfinished (C9)
                self.results += (results := measurement.results())
                rows |= {result.model.name: self._row(result) for result in results}
                ordered = sort_results([rows[name] for name in order if name in rows], options.sort)
                self.rows += ordered
                board.finish([_compared(row, baselines) for row in ordered])
        if options.details and not options.export_only:
            self._print_details(results)

    def _row(self, result: ModelResult) -> ExportRow:
        return export_row(result.model, benchmark_result(result, self._options.stat))

    def _print_details(self, results: Sequence[ModelResult]) -> None:
        table = details_table(results, stat=self._options.stat, slo=self._options.slo)
        if table is not None:
            self._console.print(table)

    def _say(self, sign: str, text: str, style: str = "") -> None:
        """One line on standard error, however long; nothing in it is markup."""
        self._console.print(Text(f"{sign} {plain(text)}".strip(), style=style), soft_wrap=True)


def why(error: ClientError, name: str, endpoint: Endpoint) -> str:
    """The reason, in words that suit an endpoint of that name: only the local server can be started here."""
    if name != "local" and str(error) == str(ServerUnreachable()):
        return f"nothing answers at {endpoint.url}"
    return str(error) or type(error).__name__


async def _ended(measurement: Measurement) -> AsyncGenerator[ModelResult, None]:
    async with aclosing(measurement.events()) as events:
        async for event in events:
            if isinstance(event, ModelEnded):
                yield event.result


def _compared(row: ExportRow, baselines: Mapping[str, Baseline]) -> TableRow:
    before = baselines.get(row.model)
    if before is None:
        return TableRow(row)
    return TableRow(
        row, trend(row.ttft, before.ttft, lower_is_better=True), trend(row.tps, before.tps, lower_is_better=False)
    )
