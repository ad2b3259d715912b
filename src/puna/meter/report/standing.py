"""Who is fastest, and how sure that is (contract meter §20). Pure, from an envelope's models.

Models are compared by their first cell, which is the plainest one: no context, one request at a time. Void cells never
take part, and figures of different bases are never put into one order (§18).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from puna.meter.metrics import METRICS
from puna.meter.report.schema import Cell, Figure, Model
from puna.meter.report.shown import amount, name, percent
from puna.meter.statistics import verdict


@dataclass(frozen=True, slots=True)
class Place:
    """A model with its figure of the metric that is compared."""

    model: Model
    figure: Figure


@dataclass(frozen=True, slots=True)
class Headline:
    """`before`, the `names` and `after` make one sentence; `sureness` says what it is worth."""

    before: str
    names: tuple[str, ...]
    after: str
    sureness: str

    def __str__(self) -> str:
        return f"{self.before}{_listed(self.names)}{self.after}"


def first_cell(model: Model) -> Cell | None:
    """The cell that stands for a model: the first one that may be used."""
    return next((cell for cell in model.cells if cell.void is None and cell.metrics), None)


def figure(model: Model, key: str) -> Figure | None:
    cell = first_cell(model)
    return cell.metrics.get(key) if cell else None


def standing(models: Sequence[Model], key: str) -> list[Place]:
    """Best first, by the median; only figures of the basis that most models have."""
    found = [Place(model, it) for model in models if (it := figure(model, key)) is not None]
    if not found:
        return []
    basis = Counter(place.figure.basis for place in found).most_common(1)[0][0]
    same = [place for place in found if place.figure.basis == basis]
    return sorted(same, key=lambda place: place.figure.median, reverse=not METRICS[key].lower_is_better)


def telling(models: Sequence[Model]) -> tuple[str, ...]:
    """The metrics that models are told by, the one of their order first: others where there are only embeddings."""
    if standing(models, "embedding_rate") and not standing(models, "decode"):
        return "embedding_rate", "embedding_inputs", "ttft"
    return "decode", "prefill", "ttft"


def is_clear(first: Figure, second: Figure, key: str) -> bool:
    return verdict(first, second, lower_is_better=METRICS[key].lower_is_better) == "better"


def headline(models: Sequence[Model]) -> Headline:
    """By decode speed, or by the embedding rate where nothing else was measured."""
    key = telling(models)[0]
    places = standing(models, key)
    if not places:
        return Headline("Nothing could be measured here", (), ".", _nothing(models))
    leader, rest = places[0], places[1:]
    unranked = sum(figure(model, key) is not None for model in models) - len(places)
    beside = f" {_counted(unranked)} by another clock, and stand apart." if unranked else ""
    if not rest:
        speed = amount(leader.figure.median, leader.figure.unit)
        return Headline("", (name(leader.model.name),), f" runs at {speed} here.", _alone(leader.figure) + beside)
    level = [place for place in rest if not is_clear(leader.figure, place.figure, key)]
    if level:
        return _level(leader, level, len(places), beside)
    second = rest[0]
    ahead = leader.figure.median / second.figure.median - 1
    return Headline(
        "",
        (name(leader.model.name),),
        f" is the fastest here: {amount(leader.figure.median, leader.figure.unit)}.",
        f"That is {percent(ahead)} more than {name(second.model.name)}, and clearly so: the 95 % intervals of the two "
        f"({leader.figure.n} and {second.figure.n} requests) do not overlap.{beside}",
    )


def _level(leader: Place, level: Sequence[Place], count: int, beside: str) -> Headline:
    names = tuple(name(place.model.name) for place in (leader, *level))
    if any(place.figure.ci95 is None for place in (leader, *level)):
        return Headline(
            "",
            names[:1],
            f" came out ahead: {amount(leader.figure.median, leader.figure.unit)}.",
            f"How sure that is cannot be told from single requests; --repeat 5 would.{beside}",
        )
    low = min(place.figure.median for place in level)
    speeds = f"{amount(low, leader.figure.unit)} to {amount(leader.figure.median, leader.figure.unit)}"
    if len(names) == count and count > 3:
        names = (f"All {count} models",)
    elif len(names) > 3:
        names = (*names[:2], f"{len(names) - 2} others")
    return Headline(
        "",
        names,
        f" are the fastest here: {speeds}.",
        f"No clear difference between them: their 95 % intervals overlap, or their medians differ by less than 5 %."
        f"{beside}",
    )


def _nothing(models: Sequence[Model]) -> str:
    cells = [cell for model in models for cell in model.cells]
    if not cells:
        return "No model was measured."
    if void := next((cell.void for cell in cells if cell.void is not None and cell.ok), None):
        return f"What was measured is void: {void}. Try again when this machine is less busy."
    return "No request of any model succeeded."


def _alone(found: Figure) -> str:
    if found.ci95 is None:
        return "One request, so how steady that is cannot be told; --repeat 5 would."
    low, high = (amount(value, found.unit) for value in found.ci95)
    return f"The mean lies between {low} and {high} (95 %, {found.n} requests)."


def _counted(unranked: int) -> str:
    return "1 model was measured" if unranked == 1 else f"{unranked} models were measured"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else " and ".join((", ".join(names[:-1]), names[-1])) if names else ""
