"""A saved comparison: a session has turns, and a turn one answer of each instance (contract arena §2.2, §2.11).

Instances, metrics and timings are JSON objects here, as they go over the wire. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from puna.errors import NotFound

AnswerState = Literal["running", "done", "stopped", "failed", "interrupted"]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """`interrupted`: Puna ended in the middle of it. `like` is None where nobody has said."""

    instance: Json
    text: str = ""
    thinking: str = ""
    state: AnswerState = "running"
    error: str = ""
    done_reason: str = ""
    metrics: Json | None = None
    timings: Json | None = None
    like: bool | None = None

    @property
    def instance_id(self) -> str:
        found: str = self.instance["id"]
        return found


@dataclass(frozen=True, slots=True)
class AnswerId:
    """An answer of a session, by the number of its turn and its instance."""

    turn: int
    instance_id: str


@dataclass(frozen=True, slots=True)
class Turn:
    """`images` is their number; `Sessions.images` has them. `follows`: the answer that all of its instances go on from;
    without it each goes on from its own.
    """

    number: int  # from 1
    prompt: str
    images: int
    at: datetime
    answers: tuple[Answer, ...] = ()  # from the left
    follows: AnswerId | None = None

    def find(self, instance_id: str) -> Answer | None:
        return next((answer for answer in self.answers if answer.instance_id == instance_id), None)

    def answer(self, instance_id: str) -> Answer:
        """Raises `NotFound`."""
        if found := self.find(instance_id):
            return found
        raise NotFound("This turn has no such instance")


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    title: str
    system: str
    instances: tuple[Json, ...]
    created: datetime
    updated: datetime
    turns: tuple[Turn, ...] = ()

    def turn(self, number: int) -> Turn:
        """Raises `NotFound`."""
        for turn in self.turns:
            if turn.number == number:
                return turn
        raise NotFound("This session has no such turn")


@dataclass(frozen=True, slots=True)
class Summary:
    """A session as a list shows it."""

    id: str
    title: str
    created: datetime
    updated: datetime
    turns: int
    models: tuple[str, ...]  # that have answered, or else that are to
