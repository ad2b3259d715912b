"""A vote of a file from outside, checked for all that a board, a page or the database relies on (threats T14, T25)."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import AwareDatetime, BaseModel, StringConstraints, ValidationError

from puna.arena.ballots import Ballot, Entry
from puna.arena.storage.votes import Vote, VoteKind
from puna.arena.verdicts import Verdict
from puna.errors import BadRequest

ID = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
_LONGEST = 300  # characters of a name
_MOST_ENTRIES = 8
_MOST_CATEGORIES = 32
_MOST_DETAILS = 1 << 20  # bytes
_MOST_TOKENS = 10**9
_MOST_SPEED = 10.0**6
_MOST_WEIGHT = 100.0
_YEARS = range(2000, 2200)
_SLOT = re.compile(r"[A-Za-z0-9_-]{1,16}", re.ASCII)

_GROUPS: Mapping[str, Callable[[tuple[tuple[str, ...], ...]], bool]] = {
    "best": lambda groups: len(groups) == 2 and len(groups[0]) == 1 and bool(groups[1]),
    "tie": lambda groups: len(groups) == 1,
    "both_bad": lambda groups: len(groups) == 1,
    "ranking": lambda groups: all(groups),
    "likes": lambda groups: len(groups) == 2,
}


class _Document(BaseModel):
    id: ID
    kind: VoteKind
    battle: str
    at: AwareDatetime
    ballot: Ballot | None = None
    details: dict[str, Any] = {}


def checked_vote(document: object) -> Vote:
    """Of the form that `records.vote_record` gives. Raises `BadRequest` with one line that says what is wrong."""
    try:
        read = _Document.model_validate(document)
    except ValidationError as error:
        raise BadRequest(first_problem(error)) from None
    wrong = next(_problems(read), None)
    if wrong is not None:
        raise BadRequest(wrong)
    return Vote(read.id, read.kind, read.battle, read.at, read.ballot, read.details)


def first_problem(error: ValidationError) -> str:
    """In one line: where, and what."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else problem["msg"]


def is_past(at: datetime) -> bool:
    """A time that something of ours can have happened at."""
    return at.tzinfo is not None and at.year in _YEARS


def _problems(vote: _Document) -> Iterator[str]:
    if not _is_name(vote.battle):
        yield "battle: not a name"
    if not is_past(vote.at):
        yield "at: not a time of a vote"
    if not _fits(vote.details):
        yield "details: too large, or not JSON"
    if vote.kind == "vote" and vote.ballot is None:
        yield "ballot: missing"
    if vote.kind == "undo" and vote.ballot is not None:
        yield "ballot: an undo has none"
    if vote.ballot is not None:
        yield from _ballot_problems(vote.ballot, vote.battle)


def _ballot_problems(ballot: Ballot, battle: str) -> Iterator[str]:
    if ballot.battle != battle:
        yield "ballot.battle: not that of the vote"
    if not is_past(ballot.at):
        yield "ballot.at: not a time of a vote"
    if not 0 < ballot.weight <= _MOST_WEIGHT:
        yield f"ballot.weight: must be above 0 and at most {_MOST_WEIGHT:g}"
    names = (*ballot.categories, *(name for name in (ballot.prompt_set, ballot.language) if name is not None))
    if len(ballot.categories) > _MOST_CATEGORIES or not all(map(_is_name, names)):
        yield "ballot: too many categories, or one, a set or a language that is not a name"
    if any("|" in category for category in ballot.categories):
        yield "ballot.categories: no | is possible"
    yield from _verdict_problems(ballot.verdict, ballot)
    for number, entry in enumerate(ballot.entries):
        yield from (f"ballot.entries.{number}.{problem}" for problem in _entry_problems(entry))


def _verdict_problems(verdict: Verdict, ballot: Ballot) -> Iterator[str]:
    seats, judged = [entry.slot for entry in ballot.entries], list(verdict.slots)
    if not 2 <= len(seats) <= _MOST_ENTRIES or len(set(seats)) < len(seats):
        yield f"ballot.entries: must be 2 to {_MOST_ENTRIES}, each with a slot of its own"
    strangers = set(judged) - set(seats) if verdict.kind == "likes" else set(judged) ^ set(seats)
    if len(set(judged)) < len(judged) or strangers or not _GROUPS[verdict.kind](verdict.groups):
        yield "ballot.verdict: does not fit to the slots"


def _entry_problems(entry: Entry) -> Iterator[str]:
    if not _SLOT.fullmatch(entry.slot):
        yield "slot: must be letters and digits"
    if not all(map(_is_name, (entry.instance, entry.model))):
        yield "instance: must be a name, as must be the model"
    if entry.family and not _is_name(entry.family):
        yield "family: not a name"
    if entry.tokens is not None and not 0 <= entry.tokens <= _MOST_TOKENS:
        yield "tokens: out of range"
    speeds = (speed for speed in (entry.tokens_per_s, entry.first_token_s) if speed is not None)
    if any(not math.isfinite(speed) or not 0 <= speed <= _MOST_SPEED for speed in speeds):
        yield "tokens_per_s: out of range, or first_token_s"


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def _fits(details: Mapping[str, Any]) -> bool:
    try:
        return len(orjson.dumps(details)) <= _MOST_DETAILS
    except TypeError:  # an integer that has no end
        return False
