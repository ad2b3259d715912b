"""Saved sessions, rosters and prompts as the API tells them (contract arena §2.2). Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from puna.arena.storage.session import Answer, Session, Summary, Turn
from puna.arena.storage.shelf import Item

Json = dict[str, Any]


def session_wire(session: Session) -> Json:
    return {
        "id": session.id,
        "title": session.title,
        "system": session.system,
        "created": session.created.isoformat(),
        "updated": session.updated.isoformat(),
        "instances": session.instances,
        "turns": [_turn_wire(turn) for turn in session.turns],
    }


def summary_wire(summary: Summary) -> Json:
    return {
        "id": summary.id,
        "title": summary.title,
        "created": summary.created.isoformat(),
        "updated": summary.updated.isoformat(),
        "turns": summary.turns,
        "models": summary.models,
    }


def item_wire(item: Item) -> Json:
    return {"id": item.id, "name": item.name, "created": item.created.isoformat(), "document": item.document}


def _turn_wire(turn: Turn) -> Json:
    return {
        "number": turn.number,
        "prompt": turn.prompt,
        "images": turn.images,
        "at": turn.at.isoformat(),
        "follows": turn.follows and asdict(turn.follows),
        "answers": [_answer_wire(answer) for answer in turn.answers],
    }


def _answer_wire(answer: Answer) -> Json:
    return {
        "instance": answer.instance,
        "text": answer.text,
        "thinking": answer.thinking,
        "state": answer.state,
        "error": answer.error,
        "metrics": answer.metrics,
        "timings": answer.timings,
        "done_reason": answer.done_reason,
        "like": answer.like,
    }
