"""From a run to its v2 envelope (`--format v2`), and to the text of it (contract meter §24).

Texts of servers and of the command line are cut and made encodable here, once: whatever is written can be read again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import orjson

from puna.meter.cell import Cell, EndpointInfo, Host, ModelResult, RunResult
from puna.meter.flags import flags
from puna.meter.formats import extract_context_length, facts
from puna.meter.metrics import METRICS, gaps, load, ttft
from puna.meter.plan import Settings
from puna.meter.records import RequestRecord
from puna.meter.report import schema
from puna.meter.slo import Slo, goodput
from puna.meter.statistics import Summary, summary
from puna.meter.throughput import (
    batched_rates,
    embedding_throughput,
    error_rate,
    failures,
    mean_concurrency,
    output_throughput,
    peak_concurrency,
    peak_output_rate,
    pooled_decode,
    pooled_prefill,
    request_throughput,
    total_throughput,
)
from puna.meter.useful import SHAPES, answer_time
from puna.units import NS

MAX_CAUSES = 100
STALL_S = 1.0
_CUT = "…"


def envelope(run: RunResult, slo: Slo | None = None) -> schema.Envelope:
    urls = {endpoint.name: endpoint.url for endpoint in run.endpoints}
    return schema.Envelope(
        run=_run(run, slo),
        host=_host(run.host),
        endpoints=tuple(map(_endpoint, run.endpoints[: schema.MAX_ITEMS])),
        models=tuple(model(each, urls.get(each.model.target, ""), slo) for each in run.models[: schema.MAX_ITEMS]),
    )


def as_text(found: schema.Envelope | schema.Model) -> str:
    """Indented JSON without a newline at its end; `schema.read_envelope` reads it."""
    return orjson.dumps(found.model_dump(mode="json", by_alias=True), option=orjson.OPT_INDENT_2).decode()


def model(result: ModelResult, url: str, slo: Slo | None = None) -> schema.Model:
    """One model's object, which the history keeps too. `url` is its endpoint's."""
    listed, loaded, known = result.model, result.loaded, facts(result.model)
    capabilities = listed.capabilities
    return schema.Model(
        name=_text(listed.name),
        endpoint=_text(listed.target),
        url=_text(url),
        digest=_text(listed.digest),
        size_bytes=max(listed.size_bytes, 0),
        params=_text(known.size),
        params_guessed=known.guessed,
        quant=_text(known.quant),
        context_max=_count(extract_context_length(listed.model_info)),
        context_used=_count(loaded.context_length) if loaded else 0,
        capabilities=None if capabilities is None else tuple(sorted(map(_text, capabilities))),
        modified_at=_text(listed.modified_at),
        memory=schema.Memory(
            size=loaded.size, size_vram=loaded.size_vram, gpu_share=loaded.gpu_share, spill=loaded.spill
        )
        if loaded and loaded.size
        else None,
        warm_up=_load(result.warm_up),
        cold=_load(result.cold),
        error=None if result.error is None else _text(result.error),
        cells=tuple(_cell(each, result, slo) for each in result.cells[: schema.MAX_ITEMS]),
    )


def digest_of(prompts: Sequence[str]) -> str:
    """What a cell names its list of prompts by."""
    return hashlib.sha256(orjson.dumps([_text(each, schema.MAX_PROMPT) for each in prompts])).hexdigest()


def _run(run: RunResult, slo: Slo | None) -> schema.Run:
    plans = [cell.plan for result in run.models for cell in result.cells]
    prompts = {digest_of(plan.prompts): plan.prompts for plan in plans}
    return schema.Run(
        id=run.id,
        started_at=run.started_at,
        arguments=tuple(map(_text, run.arguments)),
        seed=plans[0].seed if plans else 0,
        version=run.version,
        slo_ms=None if slo is None else dict(slo.limits_ms),
        prompts={key: tuple(_text(each, schema.MAX_PROMPT) for each in texts) for key, texts in prompts.items()},
    )


def _host(host: Host) -> schema.Host:
    return schema.Host(
        cpu=_text(host.cpu),
        cores=host.cores,
        ram_bytes=host.ram_bytes,
        gpus=tuple(map(_text, host.gpus)),
        system=_text(host.system),
    )


def _endpoint(info: EndpointInfo) -> schema.Endpoint:
    return schema.Endpoint(
        name=_text(info.name),
        url=_text(info.url),
        kind=info.kind,
        version=_text(info.version),
        round_trip_s=None if info.round_trip_ns is None else info.round_trip_ns / NS,
    )


def _cell(cell: Cell, result: ModelResult, slo: Slo | None) -> schema.Cell:
    plan, good = cell.plan, [record for record in cell.records if record.ok]
    figures = {key: _figure(key, found) for key in METRICS if (found := summary(cell, key)) is not None}
    return schema.Cell(
        depth=plan.depth,
        n_in=_prompt_tokens(good),
        n_out=cell.settings.num_predict,
        concurrency=plan.concurrency,
        arrival=plan.arrival,
        rate=plan.rate,
        shape=plan.shape,
        duration_s=plan.duration_s,
        batch=plan.batch,
        think=cell.settings.think,
        settings=_settings(cell.settings),
        prompts=digest_of(plan.prompts),
        metrics={key: figure for key, figure in figures.items() if figure is not None},
        totals=_totals(cell, slo),
        answers=_answers(cell),
        attempts=len(cell.records),
        ok=len(good),
        retries=sum(record.attempts - 1 for record in cell.records),
        failures=_causes(failures(cell)),
        flags=flags(cell, result),
        void=cell.void or None,
        stopped=_text(cell.stopped) or None,
        lag_p99_s=cell.lag_p99_ns / NS,
        wall_s=cell.wall_ns / NS,
    )


def _figure(key: str, found: Summary) -> schema.Figure | None:
    """None for a metric that is not finite: an endpoint's counts can make it so."""
    if not all(map(math.isfinite, (found.median, found.mean, found.sd or 0.0, *(found.ci95 or ())))):
        return None
    return schema.Figure(
        id=METRICS[key].id,
        unit=METRICS[key].unit,
        n=found.n,
        median=found.median,
        mean=found.mean,
        minimum=found.minimum,
        maximum=found.maximum,
        sd=found.sd,
        ci95=found.ci95,
        percentiles={f"p{rank}": value for rank, value in found.percentiles.items()},
        basis=found.basis,
    )


def _totals(cell: Cell, slo: Slo | None) -> dict[str, schema.Total]:
    embedded, batched = embedding_throughput(cell) or (None, None), batched_rates(cell) or (None, None)
    met = goodput(cell, slo) if slo else None
    found = (
        ("output_throughput", "M15", "tok/s", output_throughput(cell)),
        ("total_throughput", "M15", "tok/s", total_throughput(cell)),
        ("request_throughput", "M16", "req/s", request_throughput(cell)),
        ("goodput", "M17", "req/s", met.per_second if met else None),
        ("good_fraction", "M17", "ratio", met.fraction if met else None),
        ("stalls", "M8", "gaps", _stalls(cell)),
        ("peak_output_rate", "M18", "tok/s", peak_output_rate(cell)),
        ("peak_concurrency", "M18", "requests", peak_concurrency(cell)),
        ("mean_concurrency", "M18", "requests", mean_concurrency(cell)),
        ("error_rate", "M27", "ratio", error_rate(cell)),
        ("embedding_inputs", "M28", "texts/s", embedded[0]),
        ("embedding_tokens", "M28", "tok/s", embedded[1]),
        ("batched_prefill", "M31", "tok/s", batched[0]),
        ("batched_decode", "M31", "tok/s", batched[1]),
        ("pooled_decode", "M11", "tok/s", pooled_decode(cell)),
        ("pooled_prefill", "M12", "tok/s", pooled_prefill(cell)),
    )
    return {
        key: schema.Total(id=metric, unit=unit, value=value)
        for key, metric, unit, value in found
        if value is not None and math.isfinite(value)
    }


def _stalls(cell: Cell) -> int:
    """Gaps between chunks that a reader takes for a fault (§24, row 14)."""
    return sum(gap > STALL_S for record in cell.records if record.ok for gap in gaps(record))


def _answers(cell: Cell) -> dict[str, schema.AnswerTime]:
    found = {name: (shape, answer_time(cell, shape)) for name, shape in SHAPES.items()}
    return {
        name: schema.AnswerTime(title=shape.title, seconds=time.seconds, estimated=time.estimated)
        for name, (shape, time) in found.items()
        if time is not None and math.isfinite(time.seconds)
    }


def _settings(settings: Settings) -> schema.CellSettings:
    return schema.CellSettings(
        num_predict=settings.num_predict,
        num_ctx=settings.num_ctx,
        seed=settings.seed,
        temperature=settings.temperature,
        think=settings.think,
        timeout_s=settings.timeout_s,
    )


def _load(record: RequestRecord | None) -> schema.Load | None:
    if record is None or not record.ok:
        return None
    return schema.Load(load_s=load(record), ttft_s=ttft(record))


def _causes(found: Mapping[str, int]) -> dict[str, int]:
    """Texts that are equal after their cut are one cause; the rarest ones beyond `MAX_CAUSES` are left out."""
    causes: dict[str, int] = {}
    for cause, count in list(found.items())[:MAX_CAUSES]:
        causes[_text(cause)] = causes.get(_text(cause), 0) + count
    return causes


def _prompt_tokens(records: Iterable[RequestRecord]) -> int | None:
    counts = [record.server.prompt_tokens for record in records if record.server.prompt_tokens is not None]
    return round(median(counts)) if counts else None


def _count(value: int) -> int:
    return min(max(value, 0), (1 << 63) - 1)


def _text(text: str, most: int = schema.MAX_TEXT) -> str:
    """Arguments may hold bytes that are no UTF-8, which Python carries as lone surrogates."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= most else text[: most - 1] + _CUT
