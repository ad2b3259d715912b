"""One comparison to show to others: a file that is whole in itself (contract arena §2.10; threats T25). No I/O.

With or without the models' names. Without them the card holds nothing that was not asked, set, said or measured: no id,
no endpoint, no title, and not an upstream's words about a failure. What a model says of itself in its answer stays.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from puna.arena.answers import metrics_wire
from puna.arena.exchange.markup import rendered
from puna.arena.exchange.templating import environment
from puna.arena.instances import instance_wire
from puna.arena.record import BattleAnswer, BattleRecord
from puna.arena.storage.session import Answer, Session
from puna.arena.verdicts import Verdict

Json = Mapping[str, Any]
Pair = tuple[str, str]

_SETTINGS = {
    "temperature": "Temperature",
    "top_p": "Top P",
    "top_k": "Top K",
    "min_p": "Min P",
    "repeat_penalty": "Repeat penalty",
    "num_predict": "Most tokens",
    "seed": "Seed",
    "num_ctx": "Context",
    "think": "Thinking",
}
_SPECIAL: Mapping[tuple[str, object], str] = {("num_predict", -1): "no limit", ("seed", 0): "random"}
_FAILED = "This answer failed"
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Column:
    """One answer. `name` is empty where it is not told."""

    letter: str
    name: str
    settings: Sequence[Pair]
    system: str  # of its own
    text: str
    thinking: str
    state: str
    error: str
    figures: Sequence[Pair]
    marks: Sequence[str]


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt and the answers to it. Pictures are base64 of PNGs."""

    prompt: str
    pictures: Sequence[str]
    columns: Sequence[Column]


@dataclass(frozen=True, slots=True)
class Card:
    heading: str
    kind: str
    at: datetime
    system: str
    rows: Sequence[Row]


def session_card(session: Session, number: int, pictures: Sequence[str], *, names: bool) -> Card:
    """One turn of a saved comparison. Raises `NotFound`."""
    turn = session.turn(number)
    letters = _letters(session)
    columns = [_column(letters[answer.instance_id], answer, names=names) for answer in turn.answers]
    return Card(_count(len(columns)), "Comparison", turn.at, session.system, [Row(turn.prompt, pictures, columns)])


def battle_card(record: BattleRecord, *, names: bool) -> Card:
    """What was decided on. The identities of `record` are shown."""
    verdict = record.battle.verdict if record.battle.counts else None
    rows = []
    for turn in record.judged_turns:
        kept = [(slot, _kept(record, slot, turn.answers[slot])) for slot in record.slots]
        rows.append(Row(turn.prompt, turn.images, [_column(slot, answer, names=names) for slot, answer in kept]))
    heading = _decision(verdict) if verdict else _count(len(record.slots))
    return Card(heading, "Blind battle" if record.battle.blind else "Battle", record.at, record.system, rows)


def render_card(card: Card) -> bytes:
    """One HTML file."""
    page = _templates().get_template("card.html.j2").render(card=card, style=_style(), seal=_seal())
    return page.encode("utf-8", "replace")  # half of a pair of surrogates is no character


def _kept(record: BattleRecord, slot: str, answer: BattleAnswer) -> Answer:
    """As a session would have kept it."""
    return Answer(
        instance=instance_wire(record.seats[slot].instance),
        text=answer.text,
        thinking=answer.thinking,
        state="done" if answer.state == "done" else "failed",
        error=answer.reason,
        done_reason=answer.timings.done_reason if answer.timings else "",
        metrics=metrics_wire(answer.metrics) if answer.metrics else None,
        timings=answer.timings.wire() if answer.timings else None,
    )


def _letters(session: Session) -> dict[str, str]:
    """By column, as the page gives them: in the order of the first answers."""
    ids = dict.fromkeys(answer.instance_id for turn in session.turns for answer in turn.answers)
    return {instance_id: chr(ord("A") + place % 26) for place, instance_id in enumerate(ids)}


def _column(letter: str, answer: Answer, *, names: bool) -> Column:
    instance = answer.instance
    endpoint = f" at {instance['endpoint']}" if instance.get("endpoint") else ""
    return Column(
        letter=letter,
        name=f"{instance['model']}{endpoint}" if names else "",
        settings=_settings(instance),
        system=instance.get("system", ""),
        text=answer.text,
        thinking=answer.thinking,
        state=answer.state,
        error=(answer.error if names else _FAILED) if answer.state == "failed" else "",
        figures=_figures(answer),
        marks=_marks(answer),
    )


def _settings(instance: Json) -> list[Pair]:
    own = [("Settings", "the model’s own")] if instance.get("use_model_defaults") else []
    return own + [(words, _value(name, instance[name])) for name, words in _SETTINGS.items() if name in instance]


def _value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return _SPECIAL.get((name, value), str(value))


def _figures(answer: Answer) -> list[Pair]:
    metrics, timings = answer.metrics, answer.timings or {}
    if metrics is None:
        return []
    tokens = f"{'≈ ' if metrics.get('estimated') else ''}{metrics['tokens']}"
    speed = timings.get("output_per_s") or metrics["tokens_per_sec"]
    told = {
        "Tokens": tokens,
        "Speed": f"{speed:.{1 if speed < 10 else 0}f} tok/s" if speed else "",
        "First token": _seconds(timings.get("first_token_s")),
        "Time": _seconds(timings.get("wall_s")),
    }
    return [(name, value) for name, value in told.items() if value]


def _marks(answer: Answer) -> list[str]:
    timings = answer.timings or {}
    found = {
        "still being written": answer.state == "running",
        answer.state: answer.state in ("stopped", "interrupted", "failed"),
        "cut off": answer.done_reason == "length",
        "cold": timings.get("cold"),
        "contended": timings.get("contended"),
        f"in {timings.get('parts')} parts": timings.get("parts"),
    }
    return [mark for mark, holds in found.items() if holds]


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.{2 if value < 1 else 1}f} s" if value < _MINUTE else f"{value / _MINUTE:.1f} min"


def _count(answers: int) -> str:
    return "One answer" if answers == 1 else f"{answers} answers side by side"


def _decision(verdict: Verdict) -> str:
    match verdict.kind:
        case "tie":
            return "A tie"
        case "both_bad":
            return "Both bad" if len(verdict.slots) == 2 else "All bad"
        case "best":
            return f"{verdict.groups[0][0]} is better"
        case _:
            return " > ".join(" = ".join(group) for group in verdict.groups)


@cache
def _templates() -> Environment:
    return environment(rendered=rendered)


@cache
def _style() -> Markup:
    return Markup(_templates().get_template("card.css").render())  # noqa: S704 - a file of ours


@cache
def _seal() -> str:
    """What the page's policy calls its one style sheet by: no other applies."""
    return f"'sha256-{base64.b64encode(sha256(_style().encode()).digest()).decode()}'"
