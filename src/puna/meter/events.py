"""What a measurement tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from puna.meter.cell import ModelResult
from puna.meter.plan import ListedModel
from puna.meter.records import RequestRecord


@dataclass(frozen=True, slots=True)
class ModelStarted:
    """The model's first request is about to be sent."""

    model: ListedModel


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """One request is over; warm-ups (`record.warm_up`), cold ones and failures (`record.error`) included."""

    model: ListedModel
    record: RequestRecord


@dataclass(frozen=True, slots=True)
class ModelEnded:
    """Everything of one model is measured; with several rounds that is in the last one."""

    result: ModelResult


Event = ModelStarted | RequestEnded | ModelEnded
Emit = Callable[[Event], None]
