"""Instances: one model with six settings and an id (contract arena §1.5, §1.6). Pure.

A request in the recommended format names instances; one in the legacy format names models, which then run with their
own defaults and have their names for ids. The extended profile knows more settings (§2.1).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from puna.arena.extras import Extras, read_extras
from puna.arena.failures import Refused
from puna.arena.sampling import Sampling, read_sampling

__all__ = [
    "Extras",
    "Instance",
    "Sampling",
    "check_count_and_ids",
    "checked_name",
    "instance_id",
    "instance_wire",
    "named_models",
    "rated_name",
    "read_instances",
]

LONGEST = 200  # characters of a model's name and of an id

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:/@-]{0,199}", re.ASCII)
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Instance:
    """`sampling` is None where the model's own defaults apply: in the legacy format (B8), or because it was asked."""

    id: str
    model: str
    sampling: Sampling | None = None
    endpoint: str = ""  # the name of a configured one; empty = the default
    extras: Extras = Extras()  # noqa: RUF009 (frozen, so that one may serve all)


def read_instances(items: Sequence[Any], *, extended: bool = False) -> tuple[Instance, ...]:
    """The instances of a request in the recommended format. Raises `Refused` for the first thing that is wrong (§1.3).

    How many there may be, and that ids differ, is checked later: by the document those are the last checks.
    """
    made: dict[str, str] = {}  # generated id → its model
    return tuple(_read(index, item, made, extended=extended) for index, item in enumerate(items))


def named_models(names: Sequence[Any]) -> tuple[Instance, ...]:
    """The instances of a request in the legacy format (B10). Raises `Refused`."""
    return tuple(Instance(name, name) for name in map(checked_name, names))


def check_count_and_ids(instances: Sequence[Instance], most: int) -> None:
    """Raises `Refused` for too many instances, and for two with one id."""
    if len(instances) > most:
        raise Refused(f"Too many model instances: maximum {most}")
    seen: set[str] = set()
    for instance in instances:
        if instance.id in seen:
            raise Refused(f"Duplicate model instance detected: {instance.id}")
        seen.add(instance.id)


def checked_name(name: object) -> str:
    """A model's name that may go upstream (G7). Raises `Refused`."""
    if not isinstance(name, str) or not name.strip():
        raise Refused("Model name is required")
    if not _NAME.fullmatch(name):
        raise Refused("Invalid model name")
    return name


def instance_id(model: str, sampling: Sampling) -> str:
    """The generated id: `llama3_2_3b__0.7_0.9_40_1.1_-1_0` (I1, I2)."""
    settings = map(_plain, sampling.wire().values())
    return f"{_NOT_IN_ID.sub('_', model)}__{'_'.join(settings)}"


def instance_wire(instance: Instance) -> dict[str, Any]:
    """The instance as a request of the extended profile has it: `read_instances` gives it back."""
    wire: dict[str, Any] = {"id": instance.id, "model": instance.model}
    if instance.endpoint:
        wire["endpoint"] = instance.endpoint
    wire |= {"use_model_defaults": True} if instance.sampling is None else instance.sampling.wire()
    return wire | instance.extras.wire()


def rated_name(instance: Instance) -> str:
    """What a board calls it: the same model with the same settings at the same place is one player, whatever its id."""
    sampling = instance.sampling
    name = instance.model if sampling is None else instance_id(instance.model, sampling)
    if digest := instance.extras.digest():
        name += f"__{digest}"
    return f"{name}@{instance.endpoint}" if instance.endpoint else name


def _read(index: int, item: object, made: dict[str, str], *, extended: bool) -> Instance:
    if not isinstance(item, dict):
        raise Refused(f"Invalid model instance at index {index}")
    model = checked_name(item.get("model"))
    given = item.get("id")
    if given is not None and not _is_id(given):
        raise Refused(f"Invalid instance id at index {index}")
    sampling = read_sampling(item)
    endpoint = item.get("endpoint")
    instance = Instance(
        id=given or "",
        model=model,
        sampling=None if extended and item.get("use_model_defaults") is True else sampling,
        endpoint=endpoint if isinstance(endpoint, str) else "",
        extras=read_extras(item) if extended else Extras(),
    )
    return instance if given else _named(instance, made, extended=extended)


def _is_id(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST
        and not any(unicodedata.category(character) == "Cc" for character in value)
    )


def _named(instance: Instance, made: dict[str, str], *, extended: bool) -> Instance:
    """With its generated id; that of the basic profile is of the model and the six settings only.

    Two models whose names differ only in punctuation are told apart by a hash of the later one's name (I3).
    """
    made_id = rated_name(instance if extended else replace(instance, endpoint=""))
    if made.setdefault(made_id, instance.model) != instance.model:
        made_id += f"__{sha256(instance.model.encode()).hexdigest()[:8]}"
    return replace(instance, id=made_id)


def _plain(value: float) -> str:
    """At most six decimals, no trailing zeros, no exponent."""
    return str(value) if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")
