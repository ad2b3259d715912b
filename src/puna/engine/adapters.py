"""LoRA adapters that a request names: which they are and how strongly each works. Pure.

An adapter is the ADAPTER layer of a stored model with the same weights as the one that answers. A runner loads several
beside its weights and each request says what part they have in its answer, so that another scale needs no reload.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from puna.engine.types import Adapter, Weights
from puna.errors import FieldRefused
from puna.store import Model

MAX_SCALE = 10.0  # of either sign: numbers that overflow would stay in the engine's cache and spoil later answers
MAX_LOADED = 8  # beside one model


@dataclass(frozen=True, slots=True)
class NamedAdapter:
    """`model` brings the adapter; `field` is its place in the caller's request."""

    model: Model
    scale: float
    field: str


def with_named(base: Model, named: Sequence[NamedAdapter]) -> tuple[Adapter, ...]:
    """The adapters in force: the model's own at scale 1 where the request does not name them, then the others.

    Raises `FieldRefused` for a model of other weights or without an adapter, one that is named twice, or too many.
    """
    chosen = {adapter.path: adapter for adapter in _own(base)}
    seen: set[Path] = set()
    for each in named:
        model, where = each.model, f"{each.field}.model"
        name = f'{where}: "{model.name.shortest}"'
        if model.weights_digest is None or model.weights_digest != base.weights_digest:
            raise FieldRefused(f'{name} is not made from the same weights as "{base.name.shortest}"', where)
        if not model.adapters:
            raise FieldRefused(f"{name} has no adapter: name a model that was created with ADAPTER", where)
        paths = {path for _, path in model.adapters}
        if seen & paths:
            raise FieldRefused(f"{name} brings an adapter that is named already", where)
        seen |= paths
        chosen |= {adapter.path: replace(adapter, scale=each.scale) for adapter in _own(model)}
    if len(chosen) > MAX_LOADED:
        raise FieldRefused(f"adapters: at most {MAX_LOADED} adapters can be used at once", "adapters")
    return tuple(chosen.values())


def _own(model: Model) -> Sequence[Adapter]:
    return [Adapter(path, path.stat().st_size) for _, path in model.adapters]


def widened(weights: Weights, others: Iterable[Adapter]) -> Weights:
    """The same with `others` ready beside, as many as there is room for: requests for them need no reload."""
    known = {adapter.path for adapter in weights.adapters}
    more = [replace(other, scale=0.0) for other in others if other.path not in known]
    more = more[: max(MAX_LOADED - len(known), 0)]
    return replace(weights, adapters=(*weights.adapters, *more), size=weights.size + sum(other.size for other in more))


def same_effect(one: Sequence[Adapter], other: Sequence[Adapter]) -> bool:
    """Whether answers under the one and the other can be worked out together: the engine batches only those."""
    return _effect(one) == _effect(other)


def _effect(adapters: Sequence[Adapter]) -> frozenset[tuple[Path, float]]:
    return frozenset((adapter.path, adapter.scale) for adapter in adapters if adapter.scale)
