"""What more users or a longer context do to a model: series over the cells of one kind, and the knee. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from puna.meter.report.plots.curves import Curve, Panel, Value
from puna.meter.report.schema import Cell, Model
from puna.meter.report.shown import name

Over = Literal["depth", "concurrency"]
Take = Callable[[Cell], Value | None]

KNEE = 0.9
"""The knee is the least concurrency with this share of the best rate: more users only wait longer."""

FLAT = 1.2
"""A rate that grows by less, however many users there are, comes from a server that takes one at a time."""


def swept(model: Model, over: Over) -> list[Cell]:
    """The cells that differ from the model's plainest one in `over` only, ascending; void ones are left out."""
    other = "concurrency" if over == "depth" else "depth"
    good = [cell for cell in model.cells if cell.void is None and cell.metrics and cell.rate is None]
    least = min((getattr(cell, other) for cell in good), default=0)
    same = {getattr(cell, over): cell for cell in reversed(good) if getattr(cell, other) == least}
    return [same[place] for place in sorted(same)]


def sweeps(models: Sequence[Model], over: Over) -> list[Model]:
    """The models that have a curve: two places or more."""
    return [model for model in models if len(swept(model, over)) > 1]


def depth_panels(models: Sequence[Model]) -> list[Panel]:
    wanted = (("Decode", "tok/s", "decode"), ("Prefill", "tok/s", "prefill"), ("TTFT", "s", "ttft"))
    return [
        Panel(title, unit, tuple(_curve(model, "depth", _figure(key, "depth")) for model in models))
        for title, unit, key in wanted
    ]


def concurrency_panels(models: Sequence[Model]) -> list[Panel]:
    return [
        Panel(
            "All users together",
            "tok/s",
            tuple(_curve(model, "concurrency", _throughput, knee=knee(model)) for model in models),
        ),
        *(
            Panel(title, unit, tuple(_curve(model, "concurrency", _figure(key, "concurrency")) for model in models))
            for title, unit, key in (("Each user", "tok/s", "output_rate"), ("TTFT", "s", "ttft"))
        ),
    ]


def knee(model: Model) -> float | None:
    """Where the system's rate stops growing; None without a curve, and for a flat one, which has none."""
    rates = [(cell.concurrency, rate) for cell in swept(model, "concurrency") if (rate := _rate(cell)) is not None]
    if len(rates) < 2 or is_flat(model):
        return None
    best = max(rate for _, rate in rates)
    return next(float(users) for users, rate in rates if rate >= KNEE * best)


def is_flat(model: Model) -> bool:
    """Whether more users get no more out of the server."""
    rates = [rate for cell in swept(model, "concurrency") if (rate := _rate(cell)) is not None]
    return len(rates) > 1 and max(rates) < FLAT * rates[0]


def _curve(model: Model, over: Over, take: Take, *, knee: float | None = None) -> Curve:
    found = (take(cell) for cell in swept(model, over))
    return Curve(name(model.name), tuple(value for value in found if value is not None), knee)


def _figure(key: str, over: Over) -> Take:
    def take(cell: Cell) -> Value | None:
        figure = cell.metrics.get(key)
        return None if figure is None else Value(getattr(cell, over), figure.median, figure.ci95)

    return take


def _throughput(cell: Cell) -> Value | None:
    rate = _rate(cell)
    return None if rate is None else Value(cell.concurrency, rate)


def _rate(cell: Cell) -> float | None:
    total = cell.totals.get("output_throughput")
    return None if total is None else total.value
