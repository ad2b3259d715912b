"""What `GET /metrics` tells Prometheus: requests, tokens and times since the start, and what the engine holds now.

Names and labels are documented in docs/metrics.md and bounded, whatever callers send (threats T23): a route is the
template of a route of ours, a model is one that was in the store when it was first asked for.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from itertools import accumulate

from fastapi import APIRouter
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from puna.api.names import find_model
from puna.engine import Engine
from puna.engine.types import RunningModel
from puna.errors import PunaError
from puna.serving.requestlog import OTHER
from puna.store import Store

MAX_MODELS = 200  # values of the label `model`; every further model is counted as `other`
UNKNOWN = "unknown"

_MAX_NAME = 1000  # characters; no stored model's name is as long
_A_LOAD_MS = 20  # no runner starts faster; a shorter wait is the scheduler's turn, and the model was there

_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_FIRST_TOKENS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_GAPS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1)
_LOADS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

router = APIRouter(tags=["server"])


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Prometheus's text format."""
    found: Metrics = request.app.state.metrics
    return Response(await found.page(), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class Metrics:
    """The instruments of one app, in a registry of their own. All but the page is used on the event loop only."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        self._models = _Models(store)
        self._engine = engine
        self._held = _Held()
        self._requests = self._counter("puna_requests_total", "Requests that ended.", "route", "model", "status")
        self._durations = self._histogram(
            "puna_request_duration_seconds",
            "Time from the head of a request to the end of its answer.",
            "route",
            _DURATIONS,
        )
        self._first_tokens = self._histogram(
            "puna_time_to_first_token_seconds",
            "Time from the head of a request to the first tokens of an answer, streamed or not.",
            "model",
            _FIRST_TOKENS,
        )
        self._gaps = _GapHistogram(
            "puna_inter_token_seconds",
            "Time between two batches of an answer, divided by the pieces of the second, one token each as a rule.",
            _GAPS,
        )
        self._loads = self._histogram(
            "puna_load_seconds",
            "Time that a request waited for its model to be loaded. Requests that found it loaded are left out.",
            "model",
            _LOADS,
        )
        self._tokens = {
            field: self._counter(f"puna_{field}_total", about, "model")
            for field, about in (
                ("prompt_tokens", "Tokens of prompts, cached ones included."),
                ("cached_tokens", "Tokens of prompts that the engine had in its cache."),
                ("output_tokens", "Tokens of answers that came to their end."),
            )
        }
        for collector in (self._gaps, self._held):
            self.registry.register(collector)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def ended(self, route: str, status: int, seconds: float, noted: Mapping[str, object]) -> None:
        """Count one request. `noted` are the fields of its log line (`requestlog.note`)."""
        # 404 means that there is no such model: it need not be looked for again.
        model = UNKNOWN if status == 404 and "model" in noted else self._models.label(noted.get("model"))
        self._requests.labels(route, model, status).inc()
        self._durations.labels(route).observe(seconds)
        for field, counter in self._tokens.items():
            if isinstance(tokens := noted.get(field), int):
                counter.labels(model).inc(tokens)
        if isinstance(load_ms := noted.get("load_ms"), int) and load_ms >= _A_LOAD_MS:
            self._loads.labels(model).observe(load_ms / 1000)

    def begun(self, asked: object, seconds: float) -> Gaps:
        """An answer of the model `asked` has begun, so long after the request. Observe in the result what follows."""
        model = self._models.label(asked)
        self._first_tokens.labels(model).observe(seconds)
        return self._gaps.of(model)

    async def page(self) -> bytes:
        """The whole page as text format 0.0.4. Writing it takes a thread: with many models it is long."""
        self._held.models, self._held.queued = self._engine.running(), self._engine.queued()
        return await asyncio.to_thread(generate_latest, self.registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, label: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, about, (label,), buckets=buckets, registry=self.registry)


class _Models:
    """Values of the label `model`: the stored name, however it was spelled, and never more than `MAX_MODELS`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._labels: dict[str, str] = {}  # by the text that was asked for
        self._names: set[str] = set()

    def label(self, asked: object) -> str:
        """Empty for a request that names no model."""
        if not isinstance(asked, str) or not asked:
            return ""
        if (known := self._labels.get(asked)) is not None:
            return known
        name = self._stored(asked)
        if name is None:
            return UNKNOWN
        if name not in self._names and len(self._names) >= MAX_MODELS:
            return OTHER
        self._names.add(name)
        if len(self._labels) < 5 * MAX_MODELS:
            self._labels[asked] = name
        return name

    def _stored(self, asked: str) -> str | None:
        if len(asked) > _MAX_NAME:
            return None
        try:
            return find_model(self._store, asked).name.shortest
        except PunaError:
            return None


class Gaps:
    """Bucket counts and sum of one model's times between batches."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds


class _GapHistogram(Collector):
    """A histogram by model for the one place where the library's, with its locks, costs too much: every batch."""

    def __init__(self, name: str, about: str, bounds: tuple[float, ...]) -> None:
        self._name = name
        self._about = about
        self._bounds = bounds
        self._limits = [*map(floatToGoString, bounds), "+Inf"]
        self._gaps: dict[str, Gaps] = {}

    def of(self, model: str) -> Gaps:
        return self._gaps.get(model) or self._gaps.setdefault(model, Gaps(self._bounds))

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._about, labels=("model",))
        for model, gaps in list(self._gaps.items()):
            family.add_metric((model,), list(zip(self._limits, accumulate(gaps.counts), strict=True)), gaps.total)
        return [family]


class _Held(Collector):
    """What the engine held when the page was asked for: gone from the page when it is gone from the engine."""

    def __init__(self) -> None:
        self.models: tuple[RunningModel, ...] = ()
        self.queued = 0

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("puna_queue_depth", "Requests that wait for a model to be loaded.", self.queued)
        yield GaugeMetricFamily("puna_models_loaded", "Models in memory or on their way there.", len(self.models))
        active = sum(model.busy for model in self.models)
        yield GaugeMetricFamily("puna_requests_active", "Requests that a model is working on.", active)
        memory: Tally[str] = Tally()
        for model in self.models:  # a model that was made anew may still be there with its old weights
            memory[model.name.shortest] += model.memory
        family = GaugeMetricFamily(
            "puna_runner_memory_bytes",
            "Memory of the engine process of a model, GPU memory included.",
            labels=("model",),
        )
        for name, size in memory.items():
            family.add_metric((name,), size)
        yield family
