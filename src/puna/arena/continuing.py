"""An answer that ended too early, and the rest of it (contract arena §2.12, §2.15). Pure.

The model is asked the same thread with its own text as the last message, from which it goes on; an upstream that begins
anew instead cannot be told apart, so what comes is put behind the text either way. A model that has thought does not
think again.

Its figures are those of all parts together, and say so: times and tokens are added up, speeds are made from the sums,
and the first token is that of the first part. A part that nobody measured is missing in them, which they say, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from puna.arena.conversation import Message
from puna.arena.events import Done, Event
from puna.arena.failures import Refused
from puna.arena.metrics import Metrics
from puna.arena.request import Question
from puna.arena.storage.session import Answer, Turn
from puna.arena.timings import Timings
from puna.units import NS

_ADDED_UP = (
    "queue_s", "load_s", "prompt_s", "thinking_s", "generation_s", "wall_s", "prompt_tokens", "output_tokens",
)  # fmt: skip
_UNMEASURED = Timings(partial=True)


def check_unfinished(answer: Answer) -> None:
    """Raises `Refused` where there is nothing to go on with."""
    if answer.state == "running":
        raise Refused("This answer is still being written")
    if answer.state == "done" and answer.done_reason != "length":
        raise Refused("This answer is complete: ask anew, or retry")
    if not answer.text:
        raise Refused("This answer has no text to go on from: retry")


def going_on(question: Question, answer: Answer) -> Question:
    """`question` with what was said so far; as it is where that is nothing."""
    if not answer.text:
        return question
    instance = question.instance
    if answer.thinking:
        instance = replace(instance, extras=replace(instance.extras, think=False))
    return Question(instance, (*question.messages, Message("assistant", answer.text)))


def whole(event: Event, turn: Turn) -> Event:
    """`event` with the figures of all parts of its answer; `turn` has the answers as they were before."""
    if not isinstance(event, Done):
        return event
    before = turn.answer(event.instance_id)
    if not before.text:
        return event
    told, metrics = before.metrics or {}, event.metrics
    together = Metrics(
        metrics.tokens + told.get("tokens", 0),
        metrics.duration_ns + round(told.get("duration_s", 0) * NS),
        estimated=metrics.estimated or told.get("estimated", False),
    )
    return replace(event, metrics=together, timings=_added_up(_measured(before.timings), event.timings))


def _measured(kept: Mapping[str, Any] | None) -> Timings:
    if kept is None:
        return _UNMEASURED
    return Timings(**{field.name: kept[field.name] for field in fields(Timings) if field.name in kept})


def _added_up(before: Timings, after: Timings) -> Timings:
    sums = {name: _sum(getattr(before, name), getattr(after, name)) for name in _ADDED_UP}
    return replace(
        after,
        **sums,
        first_token_s=before.first_token_s,
        first_answer_s=before.first_answer_s,
        prompt_per_s=_rate(sums["prompt_tokens"], sums["prompt_s"]),
        output_per_s=_rate(sums["output_tokens"], sums["generation_s"]),
        cold=before.cold or after.cold,
        contended=before.contended or after.contended,
        parts=before.parts + 1,
        partial=before.partial,
    )


def _sum(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else one + other


def _rate(tokens: int | None, seconds: float | None) -> float | None:
    return tokens / seconds if tokens and seconds else None
