"""The report as one page that needs nothing else: no script, no font, no picture, no network (contract §24, row 11).

Everything a server says passes Jinja's autoescaping or ElementTree's; a policy in the page forbids the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from puna.drawing import SERIES
from puna.meter.cell import Cell as MeasuredCell
from puna.meter.cell import ModelResult, RunResult
from puna.meter.report.plots.bars import bars
from puna.meter.report.plots.curves import Panel, curves, style_of
from puna.meter.report.plots.marks import swatch
from puna.meter.report.plots.speed_by_size import front_of, speed_by_size
from puna.meter.report.plots.timeline import Lane, timeline
from puna.meter.report.scaling import concurrency_panels, depth_panels, is_flat, sweeps
from puna.meter.report.schema import Cell, Envelope, Host, Model
from puna.meter.report.shown import name, seconds
from puna.meter.report.standing import headline, standing, telling
from puna.meter.report.tables import FLAGS, Table, glance, results, settings, smoothness
from puna.meter.statistics import summary
from puna.units import NS, format_bytes

ANSWER = "chat"  # the shape whose felt time is shown
LANES, LANE_REQUESTS = 8, 3
MAX_MODELS = 60
"""Rows of a chart; a longer list is a table's matter."""

MAX_PROMPTS = 30


@dataclass(frozen=True, slots=True)
class Chart:
    """A section of the page. `legend` pairs a mark with its words."""

    title: str
    text: str
    drawing: Markup
    legend: tuple[tuple[Markup, str], ...] = ()
    table: Table | None = None


def page(found: Envelope, arrivals: Sequence[Lane] = ()) -> str:
    """The whole page. Without `arrivals` it has no section on how the text arrived."""
    models = in_order(found.models)
    return _template().render(
        headline=headline(found.models),
        glance=glance(models, ANSWER),
        results=results(models, answer=ANSWER),
        charts=list(_charts(models, arrivals)),
        settings=settings(models) if any(len(model.cells) > 1 for model in models) else None,
        facts=list(_facts(found)),
        flags=_flags(found),
        prompts=_prompts(found),
        run=found.run,
        began=found.run.started_at[:16].replace("T", " "),
    )


def in_order(models: Sequence[Model]) -> list[Model]:
    """The fastest first; those without a place after them, in their own order."""
    ranked = [place.model for place in standing(models, telling(models)[0])]
    known = set(map(id, ranked))
    return [*ranked, *(model for model in models if id(model) not in known)]


def lanes(run: RunResult) -> list[Lane]:
    """The first requests of the fastest models: for `page`, as an envelope does not know when each chunk arrived."""
    first = ((result, cell) for result in run.models if (cell := _plainest(result)) is not None)
    ranked = sorted(first, key=lambda pair: _decode(pair[1]), reverse=True)
    found = []
    for result, cell in ranked:
        texts = [record for record in cell.records if record.ok and len(record.stamps) > 1][:LANE_REQUESTS]
        if texts:
            times = (tuple(stamp.at_ns / NS for stamp in record.stamps) for record in texts)
            found.append(Lane(result.model.name, tuple(times)))
    return found[:LANES]


def _plainest(result: ModelResult) -> MeasuredCell | None:
    return next((cell for cell in result.cells if not cell.void), None)


def _decode(cell: MeasuredCell) -> float:
    found = summary(cell, "decode")
    return found.median if found else 0.0


def _charts(models: Sequence[Model], arrivals: Sequence[Lane]) -> Iterator[Chart]:
    front = front_of(standing(models, "decode"))
    if len(front.places) > 1:
        yield Chart(
            "Size against speed",
            "Larger models answer better, smaller ones faster. On the line are those that no other one beats in both.",
            speed_by_size(front),
        )
    keys = [key for key in telling(models) if standing(models, key)]
    if keys and len(models) > 1:
        text = "Medians; the thin marks are intervals of 95 %. Coloured bars are the best and those not clearly worse."
        yield Chart("Side by side", text, bars(models[:MAX_MODELS], keys))
    yield from _sweeps(models)
    if arrivals:
        yield Chart(
            "How the text arrives",
            "One row per request: the wait, then a tick for every chunk. Pauses that stand out are coloured.",
            timeline(arrivals),
            table=smoothness(models),
        )


def _sweeps(models: Sequence[Model]) -> Iterator[Chart]:
    if deep := sweeps(models, "depth"):
        panels = depth_panels(deep)
        yield Chart(
            "With a longer context",
            "The same question after so many tokens of other text.",
            curves("depth", "Speed over the depth of the context", "tokens of context", panels),
            tuple(_legend(panels)),
        )
    if busy := sweeps(models, "concurrency"):
        panels = concurrency_panels(busy)
        flat = [name(model.name, 40) for model in busy if is_flat(model)]
        text = "Users who ask at the same time. A ring marks nine tenths of the best rate: more users only wait."
        if flat:
            text += (
                f" Flat curves ({', '.join(flat[:3])}{' and more' * (len(flat) > 3)}) mean that the server takes "
                "one request at a time, as OLLAMA_NUM_PARALLEL=1 does: waiting then shows in TTFT."
            )
        drawn = curves("concurrency", "Speed over the number of users", "users at once", panels, doubling=True)
        yield Chart("With more users", text, drawn, tuple(_legend(panels)))


def _legend(panels: Sequence[Panel]) -> Iterator[tuple[Markup, str]]:
    names = [curve.name for curve in panels[0].curves]
    yield from ((swatch(style_of(index), index), text) for index, text in enumerate(names[:SERIES]))
    if len(names) > SERIES:
        more = len(names) - SERIES
        yield swatch(style_of(SERIES), 0), f"{more} other{'s' * (more > 1)}"


def _facts(found: Envelope) -> Iterator[tuple[str, list[str]]]:
    """Title and lines of the conditions."""
    yield "Machine", _host(found.host)
    for endpoint in found.endpoints:
        trip = [] if endpoint.round_trip_s is None else [f"round trip {seconds(endpoint.round_trip_s)}"]
        said = f"{name(endpoint.kind, 20)} {name(endpoint.version, 40) if endpoint.version else ''}".strip()
        yield f"Endpoint {name(endpoint.name, 40)}", [name(endpoint.url, 120), said, *trip]
    cells = [cell for model in found.models for cell in model.cells]
    if cells:
        yield "Settings", list(_pinned(cells[0]))
    yield "Command", [name(" ".join(("puna meter", *found.run.arguments)), 400)]
    yield "Run", [name(found.run.id), f"Puna {name(found.run.version, 40)}", f"seed {found.run.seed}"]
    if found.run.slo_ms:
        yield "Good enough", [f"{name(key, 20)} {limit:g} ms" for key, limit in found.run.slo_ms.items()]


def _pinned(cell: Cell) -> Iterator[str]:
    said = cell.settings.model_dump(exclude={"timeout_s"})
    yield from (f"{key.replace('_', ' ')}: {name(str(value), 40)}" for key, value in said.items() if value is not None)
    if all(value is None for value in said.values()):
        yield "all left to the server"
    yield f"deadline of a request: {cell.settings.timeout_s:g} s"


def _host(host: Host) -> list[str]:
    cores = f"{host.cores} core{'s' * (host.cores != 1)}, {format_bytes(host.ram_bytes)} of memory"
    return [name(host.cpu, 100), cores, *(name(gpu, 100) for gpu in host.gpus), name(host.system, 100)]


def _flags(found: Envelope) -> dict[str, str]:
    """The words for what occurs on this page."""
    cells = [cell for model in found.models for cell in model.cells]
    said = {flag for cell in cells for flag in cell.flags}
    said |= {figure.basis for cell in cells if (figure := cell.metrics.get("decode")) is not None}
    said |= {"void" for cell in cells if cell.void}
    return {flag: words for flag, words in FLAGS.items() if flag in said}


def _prompts(found: Envelope) -> list[str]:
    texts = [name(prompt, 300) for prompts in found.run.prompts.values() for prompt in prompts]
    return texts if len(texts) <= MAX_PROMPTS else [*texts[:MAX_PROMPTS], f"… and {len(texts) - MAX_PROMPTS} more"]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("puna.meter.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
