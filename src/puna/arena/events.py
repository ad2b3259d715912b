"""What is heard while instances answer (contract arena §1.7, §2.1). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from puna.arena.metrics import Metrics
from puna.arena.timings import Timings

Phase = Literal["queued", "loading", "prompt", "thinking", "generating"]


@dataclass(frozen=True, slots=True)
class Status:
    instance_id: str
    state: Phase


@dataclass(frozen=True, slots=True)
class Thinking:
    instance_id: str
    text: str  # never empty; no part of the answer (Q6)


@dataclass(frozen=True, slots=True)
class Token:
    instance_id: str
    text: str  # never empty


@dataclass(frozen=True, slots=True)
class Done:
    instance_id: str
    metrics: Metrics
    timings: Timings


@dataclass(frozen=True, slots=True)
class Failed:
    instance_id: str
    reason: str
    missing: bool = False  # the upstream does not have the model


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing happened for so long that a proxy might think the connection dead (S6)."""


Said = Status | Thinking | Token | Done | Failed
Event = Said | Silence
