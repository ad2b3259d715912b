"""What a request asks of the boards, from its query (contract arena §2.6 L1, L3). Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from puna.arena.ballots import Filters, Unit, Voter
from puna.arena.board import DEFAULT_FILTERS, DEFAULT_METHOD, Method
from puna.arena.failures import Refused
from puna.arena.fields import read_moment
from puna.arena.verdicts import BothBad

Choice = TypeVar("Choice", bound=str)

_LONGEST = 200  # characters of a category, a set or a language
_MOST_GAMES = 1_000_000
_FAR = 100_000.0  # points of an anchor


@dataclass(frozen=True, slots=True)
class Query:
    filters: Filters = DEFAULT_FILTERS
    method: Method = DEFAULT_METHOD


def read_query(query: Mapping[str, str]) -> Query:
    """What is absent or empty is at its default. Raises `Refused`, which names the field."""
    voters: tuple[Voter | Literal["combined"], ...] = (*get_args(Voter), "combined")
    units: tuple[Unit, ...] = get_args(Unit)
    bad: tuple[BothBad, ...] = get_args(BothBad)
    filters = Filters(
        voter=one_of(query, "voter", voters) or "people",
        blind_only=switch(query, "blind", default=True),
        category=_text(query, "category"),
        prompt_set=_text(query, "set"),
        language=_text(query, "language"),
        since=read_moment(query, "from"),
        until=read_moment(query, "to", whole_day=True),
        soft_leaks=switch(query, "leaked", default=True),
        fast=switch(query, "fast", default=True),
        min_games=_count(query, "min_games"),
    )
    method = Method(
        unit=one_of(query, "unit", units) or "instance",
        both_bad=one_of(query, "both_bad", bad) or "tie",
        reweighted=switch(query, "reweight", default=False),
        anchor=_anchor(query),
    )
    return Query(filters, method)


def one_of(query: Mapping[str, str], name: str, choices: tuple[Choice, ...]) -> Choice | None:
    """None where it is absent or empty. Raises `Refused`."""
    given = query.get(name)
    if not given:
        return None
    found = next((choice for choice in choices if choice == given), None)
    if found is None:
        raise Refused(f"Invalid {name}: must be one of {', '.join(choices)}")
    return found


def switch(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    """1 or 0. Raises `Refused`."""
    given = one_of(query, name, ("1", "0"))
    return default if given is None else given == "1"


def _text(query: Mapping[str, str], name: str) -> str | None:
    given = query.get(name, "")
    if len(given) > _LONGEST:
        raise Refused(f"Invalid {name}: must have at most {_LONGEST} characters")
    return given or None


def _count(query: Mapping[str, str], name: str) -> int:
    given = query.get(name) or "0"
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(_MOST_GAMES)) and int(given) <= _MOST_GAMES):
        raise Refused(f"Invalid {name}: must be an integer between 0 and {_MOST_GAMES}")
    return int(given)


def _anchor(query: Mapping[str, str]) -> tuple[str, float] | None:
    """`name:1000`; the name may hold colons."""
    given = query.get("anchor")
    if not given:
        return None
    name, _, rating = given.rpartition(":")
    try:
        points = float(rating)
    except ValueError:
        points = math.nan
    if not name or not abs(points) <= _FAR:  # also of a NaN
        raise Refused("Invalid anchor: must be a name and a rating, as in name:1000")
    return name, points
