"""Everything as JSON: a document that any program reads, with a record on each line, to be read piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from puna.arena.blind import battle_wire
from puna.arena.record import BattleRecord
from puna.arena.sessionwire import item_wire, session_wire
from puna.arena.storage.ballots import ballot_document
from puna.arena.storage.session import Session
from puna.arena.storage.shelf import Item
from puna.arena.storage.votes import Vote
from puna.serving.wire import encode

Json = dict[str, Any]

HEAD = b'{"puna_arena":1,"records":['
TAIL = b"]}"


def document(records: Iterable[Json]) -> Iterator[bytes]:
    """The lines of the file."""
    yield HEAD
    separator = b"\n"
    for record in records:
        yield separator + encode(record)
        separator = b",\n"
    yield b"\n" + TAIL + b"\n"


def vote_record(vote: Vote) -> Json:
    return {
        "record": "vote",
        "id": vote.id,
        "kind": vote.kind,
        "battle": vote.battle,
        "at": vote.at.isoformat(),
        "ballot": vote.ballot and ballot_document(vote.ballot),
        "details": vote.details,
    }


def battle_record(record: BattleRecord) -> Json:
    """Labels only, as long as the battle is blind (V5)."""
    return {"record": "battle", **battle_wire(record)}


def session_record(session: Session, pictures: Mapping[int, Sequence[str]]) -> Json:
    """`pictures`: in base64, by the number of their turn."""
    shown = {str(number): list(images) for number, images in pictures.items()}
    return {"record": "session", **session_wire(session), "pictures": shown}


def shelf_record(kind: str, item: Item) -> Json:
    return {"record": kind, **item_wire(item)}
