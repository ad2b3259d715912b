"""Likes and dislikes of the answers of a turn, and the vote that they are (contract arena V9, V10).

All that a turn is liked by is one vote: a change of it is a further row that takes the place of the earlier one. A like
alone makes no loser, so it is kept and counts for nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from puna import __version__
from puna.arena.ballots import Ballot, Entry
from puna.arena.catalog import Catalog
from puna.arena.categories import automatic_categories
from puna.arena.instances import rated_name, read_instances
from puna.arena.players import Players
from puna.arena.record import Seat
from puna.arena.storage.session import Answer, Session, Turn
from puna.arena.storage.sessions import Sessions
from puna.arena.storage.votes import Vote, Votes
from puna.arena.verdicts import Verdict

Seats = Mapping[str, Seat]
"""Who answered, by the ids of the instances."""


def seats_of(turn: Turn, catalog: Catalog, default: str) -> Seats:
    """What is known of who answered; `default` is the endpoint of those that name none."""
    asked = read_instances([answer.instance for answer in turn.answers], extended=True)
    players = Players.of(asked, catalog, default)
    return {instance.id: players.seats[rated_name(instance)] for instance in asked}


class Likes:
    """Every method blocks. Raises `DatabaseFailed`, and `NotFound` for an unknown session, turn or instance."""

    def __init__(self, sessions: Sessions, votes: Votes) -> None:
        self._sessions = sessions
        self._votes = votes
        self._writing = threading.Lock()  # the last vote of a turn says what its likes are now

    def give(self, session_id: str, number: int, instance_id: str, like: bool | None, seats: Seats) -> None:
        """None takes back what was said. Blocks."""
        with self._writing:
            session = self._sessions.like(session_id, number, instance_id, like)
            self._votes.append(vote_of(session, session.turn(number), seats))

    def restart(self, session_id: str, number: int, instance_id: str, seats: Seats) -> Turn:
        """The answer is generated anew, and nobody has liked that one yet."""
        with self._writing:
            before = self._sessions.get(session_id).turn(number).answer(instance_id)
            turn = self._sessions.restart_answer(session_id, number, instance_id)
            if before.like is not None:
                session = self._sessions.get(session_id)
                self._votes.append(vote_of(session, session.turn(number), seats))
        return turn


def vote_of(session: Session, turn: Turn, seats: Seats) -> Vote:
    """The likes of a turn as they are now; slots are its places from the left, from `1`."""
    battle, now = f"{session.id}/{turn.number}", datetime.now(UTC)
    answers = {str(place): answer for place, answer in enumerate(turn.answers, start=1)}
    liked = [slot for slot, answer in answers.items() if answer.like is True]
    disliked = [slot for slot, answer in answers.items() if answer.like is False]
    prompts = [earlier.prompt for earlier in session.turns if earlier.number <= turn.number]
    entries = tuple(_entry(slot, answer, seats[answer.instance_id]) for slot, answer in answers.items())
    ballot = Ballot(
        battle=battle,
        at=now,
        verdict=Verdict.of_likes(liked, disliked),
        entries=entries,
        blind=False,
        categories=automatic_categories(prompts, [entry.tokens or 0 for entry in entries]),
    )
    details: dict[str, Any] = {
        "prompt": prompts[0],
        "prompts": prompts,
        "system": session.system,
        "paced": False,
        "version": __version__,
        "slots": {
            slot: {
                "instance": answer.instance,
                "digest": seats[answer.instance_id].digest,
                "answer": answer.text,
                "like": answer.like,
            }
            for slot, answer in answers.items()
        },
    }
    return Vote(uuid4().hex, "likes", battle, now, ballot if liked and disliked else None, details)


def _entry(slot: str, answer: Answer, seat: Seat) -> Entry:
    """A speed that another answer got in the way of is not told (§2.9)."""
    timings = answer.timings or {}
    fair = {} if timings.get("contended") else timings
    return Entry(
        slot=slot,
        instance=seat.rated,
        model=seat.instance.model,
        family=seat.family,
        tokens=(answer.metrics or {}).get("tokens"),
        tokens_per_s=fair.get("output_per_s"),
        first_token_s=fair.get("first_token_s"),
    )
