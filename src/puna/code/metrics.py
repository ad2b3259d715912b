"""What `GET /metrics` tells Prometheus (contract code-completion R11): requests, and the completer's own counts.

Labels are bounded, whatever clients send: a route is the template of a route of ours, an event one of Tabby's three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from puna.code.counters import Counters

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
EVENTS = ("view", "select", "dismiss")

_DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_NOW = ("running", "waiting")  # may go down again


class Metrics:
    """The instruments of one app, in a registry of their own. Used on the event loop only."""

    def __init__(self, counters: Callable[[], Counters]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "puna_code_requests_total", "Requests that ended.", ("route", "status"), registry=self._registry
        )
        self._durations = Histogram(
            "puna_code_request_duration_seconds",
            "Time from the head of a request to the end of its answer.",
            ("route",),
            buckets=_DURATIONS,
            registry=self._registry,
        )
        self._events = Counter(
            "puna_code_events_total", "What people did with completions.", ("type",), registry=self._registry
        )
        self._registry.register(_Completions(counters))

    def ended(self, route: str, status: int, seconds: float, noted: Mapping[str, object]) -> None:
        """Count one request; `noted` is of no use here."""
        self._requests.labels(route, status).inc()
        self._durations.labels(route).observe(seconds)

    def happened(self, event: str) -> None:
        """Count an event of Tabby's clients; others are not kept."""
        if event in EVENTS:
            self._events.labels(event).inc()

    def page(self) -> bytes:
        return generate_latest(self._registry)


class _Completions(Collector):
    def __init__(self, counters: Callable[[], Counters]) -> None:
        self._counters = counters

    def collect(self) -> Iterable[Metric]:
        counters = self._counters()
        for field in fields(Counters):
            value = getattr(counters, field.name)
            name = f"puna_code_{field.name}"
            if field.name == "trims":
                family = CounterMetricFamily(name, "Completions that an ending rule cut.", labels=("rule",))
                for rule, count in sorted(value.items()):
                    family.add_metric((rule,), count)
                yield family
            elif field.name in _NOW:
                yield GaugeMetricFamily(name, f"Completions {field.name} now.", value)
            else:
                yield CounterMetricFamily(name, f"Since the start: {field.name.replace('_', ' ')}.", value)
