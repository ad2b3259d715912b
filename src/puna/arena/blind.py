"""What may be told of a battle, and when: the only way from a record to the wire (contract arena §2.3 V5, V6). Pure.

Before identities are shown nothing here depends on who sits at a slot: no model, id, size, speed, token count, load
state or context, no reason of a failure, and no thinking unless every slot has some.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from puna.arena.answers import metrics_wire
from puna.arena.instances import instance_wire
from puna.arena.record import AnswerState, BattleAnswer, BattleRecord, BattleTurn
from puna.arena.rounds import News

Json = dict[str, Any]

_ERRORS: Mapping[AnswerState, str] = {
    "failed": "This answer failed",
    "stopped": "This answer was stopped, since another one failed",
}


def battle_wire(record: BattleRecord) -> Json:
    """All of it: `GET battles/{id}`."""
    undo_until = record.undo_until
    return {
        "id": record.id,
        "at": _moment(record.at),
        "state": record.battle.state,
        "slots": list(record.slots),
        "paced": record.paced,
        "blind": record.battle.blind,
        "turns": [_turn_wire(turn, record) for turn in record.turns],
        "verdict": verdict_wire(record),
        "reveal": reveal_wire(record),
        "undo_until": undo_until and _moment(undo_until),
        **_opinion_wire(record),
    }


def listed_wire(record: BattleRecord) -> Json:
    """In a list of battles."""
    return {
        "id": record.id,
        "at": _moment(record.at),
        "state": record.battle.state,
        "prompt": record.turns[0].prompt,
        "slots": list(record.slots),
        "verdict": verdict_wire(record),
        "reveal": reveal_wire(record),
    }


def reveal_wire(record: BattleRecord) -> Json | None:
    """Who it was, by slot, with how fast the last turn that was judged came; None while that is hidden."""
    if not record.battle.identities_shown:
        return None
    answers = record.judged_turns[-1].answers
    return {
        slot: {
            "instance": instance_wire(seat.instance),
            "rated": seat.rated,
            "metrics": (metrics := answers[slot].metrics) and metrics_wire(metrics),
            "timings": (timings := answers[slot].timings) and timings.wire(),
            "leak": record.leaks.get(slot),
        }
        for slot, seat in record.seats.items()
    }


def verdict_wire(record: BattleRecord) -> Json | None:
    """None for one that was undone."""
    verdict = record.battle.verdict
    if verdict is None or not record.battle.counts:
        return None
    return {"kind": verdict.kind, "groups": [list(group) for group in verdict.groups]}


def _opinion_wire(record: BattleRecord) -> Json:
    """What the vote says beside its verdict; no key before there is one that counts."""
    if not record.battle.counts:
        return {}
    return {"opinion": {"tags": list(record.opinion.tags), "note": record.opinion.note}}


def news_wire(news: News) -> Json:
    """One line for those who watch a battle: nobody's failure has its reason there."""
    match news.state:
        case "failed" | "stopped":
            return {"event": "failed", "slot": news.slot, "error": _ERRORS[news.state]}
        case "done":
            return {"event": "done", "slot": news.slot}
        case _:
            return {"event": "token", "slot": news.slot, "token": news.text}


def _turn_wire(turn: BattleTurn, record: BattleRecord) -> Json:
    shown = record.battle.identities_shown
    thinking = shown or (turn.all_done and all(answer.thinking for answer in turn.answers.values()))
    return {
        "prompt": turn.prompt,
        "answers": {slot: _answer_wire(turn.answers[slot], shown, thinking) for slot in record.slots},
    }


def _answer_wire(answer: BattleAnswer, shown: bool, thinking: bool) -> Json:
    wire: Json = {"text": answer.text, "state": "failed" if answer.state == "stopped" else answer.state}
    if thinking and answer.thinking:
        wire["thinking"] = answer.thinking
    if error := _ERRORS.get(answer.state):
        wire["error"] = (shown and answer.reason) or error
    return wire


def _moment(at: datetime) -> str:
    return at.isoformat()
