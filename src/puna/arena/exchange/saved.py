"""Sessions, rosters and prompts of a file from outside, checked as routes check it (threats T14, T25).

Whatever a page, a thread or the database relies on holds of what is given back; keys that nobody knows are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import orjson
from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from puna.arena.conversation import Message, check_question, read_images
from puna.arena.exchange.checking import ID, first_problem, is_past
from puna.arena.failures import Refused
from puna.arena.fields import NAME, TEXT
from puna.arena.instances import check_count_and_ids, instance_wire, read_instances
from puna.arena.request import Limits
from puna.arena.shelves import Read, read_item
from puna.arena.storage.session import Answer, Json, Session, Turn
from puna.arena.storage.shelf import Item
from puna.arena.timings import Timings
from puna.errors import BadRequest

T = TypeVar("T")

MOST_TURNS = 10_000
_NUMBERS = range(1, MOST_TURNS + 1)
_FAR = 1e12  # no time, rate or count is beyond it


class _Named(BaseModel):
    id: ID
    created: AwareDatetime


class _Pictured(BaseModel):
    pictures: dict[int, list[str]] = {}


class _Metrics(BaseModel):
    tokens: int
    duration_s: float
    tokens_per_sec: float
    estimated: bool = False


_SESSION, _TIMINGS = TypeAdapter(Session), TypeAdapter(Timings)
_NAMED, _PICTURED, _METRICS = TypeAdapter(_Named), TypeAdapter(_Pictured), TypeAdapter(_Metrics)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A session with its pictures: base64, by the number of their turn; whether they are pictures is not known yet."""

    session: Session
    pictures: Mapping[int, Sequence[str]]

    @property
    def id(self) -> str:
        return self.session.id


def checked_session(document: dict[str, Any], limits: Limits) -> Comparison:
    """Of the form that `records.session_record` gives. What was running when it left is interrupted.

    Raises `BadRequest`, or `Refused`, with one line that says what is wrong.
    """
    _validated(_NAMED, document)
    session = _validated(_SESSION, document)
    pictures = _validated(_PICTURED, document).pictures
    _require(is_past(session.created) and is_past(session.updated), "created: not a time of a session, or updated")
    _require(len(session.title) <= NAME, f"title: must have at most {NAME} characters")
    _require(len(session.system) <= TEXT, f"system: must have at most {TEXT} characters")
    numbers = [turn.number for turn in session.turns]
    in_order = numbers == sorted(set(numbers)) and all(number in _NUMBERS for number in numbers)
    _require(in_order, f"turns: must be numbered in order, from 1 to {MOST_TURNS}")
    _require(set(pictures) <= set(numbers), "pictures: of a turn that is not there")
    turns: dict[int, Turn] = {}
    for turn in session.turns:
        try:
            turns[turn.number] = _checked_turn(turn, turns, pictures.get(turn.number, []), limits)
        except (BadRequest, Refused) as error:
            raise BadRequest(f"turn {turn.number}: {error.message}") from None
    checked = replace(session, instances=_instances(session.instances, limits), turns=tuple(turns.values()))
    return Comparison(checked, pictures)


def checked_item(document: dict[str, Any], read_document: Read) -> Item:
    """Of the form that `records.shelf_record` gives. Raises `BadRequest` or `Refused` as `checked_session`."""
    made = _validated(_NAMED, document)
    _require(is_past(made.created), "created: not a time of a roster or prompts")
    name, kept = read_item(document, read_document)
    return Item(made.id, name, made.created, kept)


def _checked_turn(turn: Turn, earlier: Mapping[int, Turn], pictures: list[str], limits: Limits) -> Turn:
    _require(is_past(turn.at), "at: not a time of a turn")
    _require(turn.images == len(pictures), f"images: it had {turn.images}, and the file has {len(pictures)} of them")
    check_question([Message("user", turn.prompt, read_images(pictures))])
    _require(bool(turn.answers), "answers: there are none")
    if (last := turn.follows) is not None:
        followed = earlier.get(last.turn)
        _require(followed is not None and followed.find(last.instance_id) is not None, "follows: no earlier answer")
    instances = _instances([answer.instance for answer in turn.answers], limits)
    answers = (
        _checked_answer(replace(answer, instance=one)) for answer, one in zip(turn.answers, instances, strict=True)
    )
    return replace(turn, answers=tuple(answers))


def _checked_answer(answer: Answer) -> Answer:
    _require(len(answer.done_reason) <= NAME, f"done_reason: must have at most {NAME} characters")
    _require(len(answer.error) <= TEXT, f"error: must have at most {TEXT} characters")
    given, times = answer.metrics, answer.timings
    metrics = None if given is None else _validated(_METRICS, given).model_dump(exclude_unset=True)
    timings = None if times is None else _validated(_TIMINGS, times).wire()
    _require(all(map(_is_measure, (*(metrics or {}).values(), *(timings or {}).values()))), "timings: out of range")
    state = "interrupted" if answer.state == "running" else answer.state
    return replace(answer, state=state, metrics=metrics, timings=timings)


def _instances(items: Sequence[Json], limits: Limits) -> tuple[Json, ...]:
    instances = read_instances(items, extended=True)
    check_count_and_ids(instances, limits.instances)
    return tuple(map(instance_wire, instances))


def _is_measure(value: object) -> bool:
    return not isinstance(value, int | float) or 0 <= value <= _FAR


def _validated(read: TypeAdapter[T], value: object) -> T:
    """What JSON has no types for, times among it, is read from texts; nothing else is taken for what it is not."""
    try:
        return read.validate_json(orjson.dumps(value), strict=True)
    except ValidationError as error:
        raise BadRequest(first_problem(error)) from None
    except TypeError:  # an integer that has no end
        raise BadRequest("a number is out of range") from None


def _require(fine: bool, problem: str) -> None:
    if not fine:
        raise BadRequest(problem)
