"""Who can play: the instances that are named, or every installed model that completes text (§2.3). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from puna.arena.catalog import Catalog
from puna.arena.failures import Refused
from puna.arena.instances import Instance, checked_name, rated_name, read_instances
from puna.arena.leaks import model_words
from puna.arena.record import Seat

Json = dict[str, Any]
_Models = Mapping[tuple[str, str], Json]  # by endpoint and name


@dataclass(frozen=True, slots=True)
class Players:
    """By what boards call them. Two instances that a board could not tell apart are one player."""

    seats: Mapping[str, Seat]
    loaded: frozenset[str] = frozenset()

    @classmethod
    def of(cls, instances: Sequence[Instance], catalog: Catalog, default: str) -> Players:
        """All that are installed where no instance is named. `default` is the endpoint of those that name none."""
        models = {(model["endpoint"], model["name"]): model for model in catalog.models}
        seats, loaded = {}, set()
        for instance in instances or _everyone(models, default):
            model = _known(models, instance, default)
            rated = rated_name(instance)
            base = instance.model.rpartition("/")[2].partition(":")[0]
            seats[rated] = Seat(instance, rated, model.get("family") or base, model.get("digest") or "")
            if model.get("loaded") is not None:
                loaded.add(rated)
        return cls(seats, frozenset(loaded))

    @property
    def words(self) -> frozenset[str]:
        """What would give away one of them (V8)."""
        return frozenset[str]().union(*(model_words(seat.instance.model, seat.family) for seat in self.seats.values()))


def _everyone(models: _Models, default: str) -> Sequence[Instance]:
    """With the default settings, and with the name of their endpoint where it is not the default."""
    return read_instances(
        [
            {"model": name, "endpoint": "" if endpoint == default else endpoint}
            for (endpoint, name), model in models.items()
            if "completion" in (model["capabilities"] or ["completion"]) and _can_be_asked(name)
        ],
        extended=True,
    )


def _can_be_asked(name: str) -> bool:
    """An upstream may list what no request could name (G7)."""
    try:
        checked_name(name)
    except Refused:
        return False
    return True


def _known(models: _Models, instance: Instance, default: str) -> Json:
    """Nothing where it is not installed: it will fail when it is asked."""
    endpoint = instance.endpoint or default
    return models.get((endpoint, instance.model)) or models.get((endpoint, f"{instance.model}:latest")) or {}
