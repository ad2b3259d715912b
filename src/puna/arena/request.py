"""A chat request, checked in the order of the document: the first thing that is wrong is the answer (contract §1.3).

History; instances present; per instance in order object, model, id, the six settings; their number; duplicates. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from puna.arena.conversation import Message, check_question, cut, read_conversation, read_messages
from puna.arena.failures import Refused, unknown_endpoint
from puna.arena.instances import Instance, check_count_and_ids, named_models, read_instances
from puna.arena.storage.session import AnswerId

SCHEDULES = ("parallel", "sequential")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator allows in one request."""

    messages: int = 40
    instances: int = 8


@dataclass(frozen=True, slots=True)
class Question:
    """What one instance is asked: each may have a conversation of its own."""

    instance: Instance
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    questions: tuple[Question, ...]
    legacy: bool  # models were named, and answers are keyed by their names
    stream: bool
    extended: bool = False
    sequential: bool = False
    truncated: frozenset[str] = frozenset()  # ids of instances that do not get their whole history

    @property
    def key(self) -> str:
        """What a line of the stream is labelled with (S1)."""
        return "model" if self.legacy else "instance_id"

    @property
    def instances(self) -> tuple[Instance, ...]:
        return tuple(question.instance for question in self.questions)


def read_chat(
    body: Mapping[str, Any], limits: Limits, endpoints: Sequence[str] = (), *, extended: bool = False
) -> ChatRequest:
    """Raises `Refused`. `endpoints` are the names that an instance may give for where it runs (C4).

    `extended` is the query's; the body may ask for that profile, too (§2.1).
    """
    extended = extended or body.get("extended") is True
    threads = _histories(body) if extended else {}
    shared = () if threads and not _has_shared(body) else read_conversation(body, extended=extended)
    asked = body.get("model_instances")
    legacy = not (isinstance(asked, list) and asked)
    instances = named_models(_models(body)) if legacy else read_instances(asked or (), extended=extended)
    check_count_and_ids(instances, limits.instances)
    instances = placed(instances, endpoints)
    whole = [Question(instance, threads.get(instance.id, shared)) for instance in instances]
    questions = [Question(question.instance, _cut(question.messages, limits)) for question in whole]
    return ChatRequest(
        questions=tuple(questions),
        legacy=legacy,
        stream=body.get("stream") is True,
        extended=extended,
        sequential=extended and read_schedule(body),
        truncated=frozenset(
            full.instance.id for full, kept in zip(whole, questions, strict=True) if full.messages != kept.messages
        ),
    )


def placed(instances: Iterable[Instance], endpoints: Sequence[str]) -> tuple[Instance, ...]:
    """The instances; whoever names the default endpoint, the first, names none: it is the same player either way.

    Raises `Refused` for a name that is none of the operator's: URLs are never taken (C4).
    """
    given = tuple(instances)
    if any(one.endpoint and one.endpoint not in endpoints for one in given):
        raise unknown_endpoint(endpoints)
    return tuple(replace(one, endpoint="") if one.endpoint in endpoints[:1] else one for one in given)


def read_schedule(body: Mapping[str, Any]) -> bool:
    """Whether one instance is asked after the other (§2.9). Raises `Refused`."""
    if (schedule := body.get("schedule", "parallel")) not in SCHEDULES:
        raise Refused(f"Invalid schedule: must be one of {', '.join(SCHEDULES)}")
    return bool(schedule == "sequential")


def read_follows(body: Mapping[str, Any]) -> AnswerId | None:
    """The answer that all instances go on from; None where each goes on from its own. Raises `Refused`."""
    match body.get("follows"):
        case None:
            return None
        case {"turn": int(turn), "instance_id": str(instance_id)} if not isinstance(turn, bool):
            return AnswerId(turn, instance_id)
    raise Refused("Invalid follows: must be the turn and the instance_id of an answer")


def _histories(body: Mapping[str, Any]) -> dict[str, tuple[Message, ...]]:
    """The conversations of single instances by their ids; the others have that of all. Raises `Refused`."""
    histories = body.get("histories")
    if not isinstance(histories, dict):
        return {}
    threads = {name: tuple(read_messages(history, extended=True)) for name, history in histories.items()}
    for thread in threads.values():
        check_question(thread)
    return threads


def _has_shared(body: Mapping[str, Any]) -> bool:
    return any(body.get(field) for field in ("history", "message"))


def _cut(thread: tuple[Message, ...], limits: Limits) -> tuple[Message, ...]:
    check_question(thread)
    return cut(thread, limits.messages)


def _models(body: Mapping[str, Any]) -> list[Any]:
    """The names of the legacy format: a list, one name, or the older field `model`. Raises `Refused`."""
    for field in ("models", "model"):
        value = body.get(field)
        if isinstance(value, list) and value and field == "models":
            return value
        if isinstance(value, str) and value:
            return [value]
    raise Refused("No models selected")
