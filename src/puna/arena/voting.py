"""What a vote on a battle leaves behind: the ballot that boards count, and the details (contract arena §2.3, §2.11).

Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from puna import __version__
from puna.arena.ballots import Ballot, Entry
from puna.arena.categories import automatic_categories
from puna.arena.instances import instance_wire
from puna.arena.leaks import WORDS, Leak, find_leak
from puna.arena.record import BattleRecord


def find_leaks(record: BattleRecord) -> dict[str, Leak]:
    """The worst leak of each slot over all turns (V8). Takes a while: call it in a thread."""
    words = WORDS | record.words
    prompts = [turn.prompt for turn in record.turns]
    found = {
        slot: {
            find_leak(turn.answers[slot].text, "\n".join(prompts[: number + 1]), words)
            for number, turn in enumerate(record.turns)
        }
        for slot in record.slots
    }
    return {slot: "hard" if "hard" in leaks else "soft" for slot, leaks in found.items() if leaks != {None}}


def ballot_of(record: BattleRecord) -> Ballot:
    """Of a battle that was voted on."""
    battle, answers = record.battle, record.judged_turns[-1].answers
    assert battle.verdict is not None
    assert battle.voted_at is not None
    tokens = [answer.metrics.tokens for answer in answers.values() if answer.metrics]
    return Ballot(
        battle=record.id,
        at=datetime.fromtimestamp(battle.voted_at, UTC),
        verdict=battle.verdict,
        entries=tuple(_entry(record, slot) for slot in record.slots),
        blind=battle.blind,
        fast=battle.fast,
        categories=automatic_categories([turn.prompt for turn in record.judged_turns], tokens),
    )


def details_of(record: BattleRecord) -> dict[str, Any]:
    """What stands beside the ballot. JSON."""
    turns = record.judged_turns
    return {
        "prompt": turns[0].prompt,
        "prompts": [turn.prompt for turn in turns],
        "system": record.system,
        "strategy": record.strategy,
        "probability": record.probability,
        "paced": record.paced,
        "version": __version__,
        "tags": list(record.opinion.tags),
        "note": record.opinion.note,
        "slots": {
            slot: {
                "instance": instance_wire(seat.instance),
                "digest": seat.digest,
                "answer": turns[-1].answers[slot].text,
            }
            for slot, seat in record.seats.items()
        },
    }


def _entry(record: BattleRecord, slot: str) -> Entry:
    """Of the last turn. A speed that another answer got in the way of is not told (§2.9)."""
    seat, answer = record.seats[slot], record.judged_turns[-1].answers[slot]
    metrics, timings = answer.metrics, answer.timings
    fair = timings is not None and not timings.contended
    return Entry(
        slot=slot,
        instance=seat.rated,
        model=seat.instance.model,
        family=seat.family,
        tokens=metrics.tokens if metrics else None,
        tokens_per_s=timings.output_per_s if timings and fair else None,
        first_token_s=timings.first_token_s if timings and fair else None,
        leak=record.leaks.get(slot),
    )
