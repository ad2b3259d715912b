"""What a battle is started with, and what is said of it: requests, checked (contract arena §2.3, §2.4). Pure.

Every function raises `Refused`, or `BadRequest` `Invalid choice`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from puna.arena.battle import LETTERS
from puna.arena.conversation import read_images
from puna.arena.failures import Refused
from puna.arena.fields import read_list, read_text
from puna.arena.instances import Instance, check_count_and_ids, read_instances
from puna.arena.pairs import Strategy
from puna.arena.request import placed
from puna.arena.verdicts import Verdict

MOST_PLAYERS = 100  # in the pool of one battle
MOST_TAGS = 16
LONGEST_TAG = 100  # characters
LONGEST_NOTE = 10_000


@dataclass(frozen=True, slots=True)
class Challenge:
    """A battle that is wanted. No instances: all that are installed."""

    prompt: str
    instances: tuple[Instance, ...] = ()
    slots: int = 2
    paced: bool = True
    blind: bool = True
    strategy: Strategy = "uniform"
    challenger: str = ""  # the id of who meets all others
    system: str = ""
    images: tuple[str, ...] = ()  # base64, not yet looked into


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a vote says beside its verdict."""

    tags: tuple[str, ...] = ()
    note: str = ""


NO_OPINION = Opinion()


def read_challenge(body: Mapping[str, Any], endpoints: Sequence[str]) -> Challenge:
    """`endpoints` are the names that an instance may give for where it runs (C4)."""
    strategy = body.get("strategy", "uniform")
    if strategy not in get_args(Strategy):
        raise Refused(f"Invalid strategy: must be one of {', '.join(get_args(Strategy))}")
    return Challenge(
        prompt=read_prompt(body),
        instances=_read_pool(body, endpoints),
        slots=_read_slots(body.get("slots", 2)),
        paced=_flag(body, "paced"),
        blind=_flag(body, "blind"),
        strategy=strategy,
        challenger=read_text(body, "challenger") or "",
        system=read_text(body, "system") or "",
        images=read_images(body.get("images")),
    )


def read_prompt(body: Mapping[str, Any]) -> str:
    prompt = read_text(body, "prompt") or ""
    if not prompt.strip():
        raise Refused("Prompt is required")
    return prompt


def read_verdict(body: Mapping[str, Any], slots: Sequence[str]) -> Verdict:
    return Verdict.of(slots, body.get("choice"), body.get("ranking"))


def read_opinion(body: Mapping[str, Any]) -> Opinion:
    tags = read_list(body, "tags", MOST_TAGS) or []
    if not all(isinstance(tag, str) and len(tag) <= LONGEST_TAG for tag in tags):
        raise Refused(f"Invalid tags: must be texts of at most {LONGEST_TAG} characters")
    return Opinion(tuple(tags), read_text(body, "note", LONGEST_NOTE) or "")


def _read_pool(body: Mapping[str, Any], endpoints: Sequence[str]) -> tuple[Instance, ...]:
    instances = read_instances(read_list(body, "model_instances") or [], extended=True)
    check_count_and_ids(instances, MOST_PLAYERS)
    return placed(instances, endpoints)


def _read_slots(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= len(LETTERS):
        raise Refused(f"Invalid slots: must be between 2 and {len(LETTERS)}")
    return value


def _flag(body: Mapping[str, Any], field: str) -> bool:
    """True unless it is said to be false."""
    value = body.get(field, True)
    if not isinstance(value, bool):
        raise Refused(f"Invalid {field}: must be true or false")
    return value
