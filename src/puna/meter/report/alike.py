"""Which cells of two measurements belong together, and what keeps them from being compared (correction C2). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from puna.meter.report.schema import Cell, Model
from puna.meter.report.sides import Side

_SETTINGS = ("num_predict", "num_ctx", "temperature", "think")


@dataclass(frozen=True, slots=True)
class Pair:
    """The same setting of the same model on both sides; `unlike` names what differs all the same."""

    model: Model
    before: Cell
    after: Cell
    unlike: tuple[str, ...] = ()


def pairs(before: Side, after: Side) -> Iterator[Pair]:
    """In the order of `before`."""
    for model in before.models:
        other = _same_model(model, after)
        if other is None:
            continue
        cells = {_shape(cell): cell for cell in reversed(other.cells)}
        for cell in model.cells:
            if (match := cells.get(_shape(cell))) is not None:
                yield Pair(model, cell, match, (*_machines(before, after), *_unlike(model, other, cell, match)))


def missing(before: Side, after: Side) -> list[Model]:
    """Models of `before` that `after` has no cell of."""
    kept = {id(pair.model) for pair in pairs(before, after)}
    return [model for model in before.models if id(model) not in kept]


def _same_model(model: Model, side: Side) -> Model | None:
    """At the endpoint of the same name; else the only one of that name."""
    found = [other for other in side.models if other.name == model.name]
    here = [other for other in found if other.endpoint == model.endpoint]
    return here[0] if here else found[0] if len(found) == 1 else None


def _shape(cell: Cell) -> tuple[object, ...]:
    return cell.depth, cell.concurrency, cell.batch, cell.arrival, cell.rate, cell.shape


def _machines(before: Side, after: Side) -> Iterator[str]:
    known = before.host is not None and after.host is not None
    if known and before.host != after.host:
        yield "machine"


def _unlike(model: Model, other: Model, cell: Cell, match: Cell) -> Iterator[str]:
    """C2: endpoint, digest, prompts, pinned settings, models side by side. An unknown digest differs from none."""
    if model.url != other.url:
        yield "endpoint"
    if model.digest and other.digest and model.digest != other.digest:
        yield "digest"
    if cell.prompts != match.prompts:
        yield "prompts"
    yield from (name for name in _SETTINGS if getattr(cell.settings, name) != getattr(match.settings, name))
    if ("contended" in cell.flags) != ("contended" in match.flags):
        yield "parallel"
