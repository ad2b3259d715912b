"""What a file of ours brings, read and checked, record by record; nothing is looked up and nothing stored. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from puna.arena.exchange.checking import checked_vote
from puna.arena.exchange.records import HEAD, TAIL
from puna.arena.exchange.saved import Comparison, checked_item, checked_session
from puna.arena.exchange.table import documents
from puna.arena.failures import Refused
from puna.arena.request import Limits
from puna.arena.shelves import read_prompts, read_roster
from puna.arena.storage.shelf import Item
from puna.arena.storage.votes import Vote
from puna.errors import BadRequest
from puna.serving.wire import parse_json

Kind = Literal["vote", "session", "roster", "prompts"]


class Record(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Rejected:
    line: int  # of the file; where all records stand on one line, the record's number
    error: str
    kind: Kind | None = None  # None where nobody can tell


@dataclass(slots=True)
class Pile(Generic[R]):
    """The records of one kind, by their ids, and the lines that they stand on."""

    kind: Kind
    check: Callable[[Any], R]
    new: dict[str, R] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    known: int = 0  # that stand in the file twice, or in the arena already
    rejected: list[Rejected] = field(default_factory=list)

    def take(self, line: int, document: object) -> None:
        try:
            record = self.check(document)
        except (BadRequest, Refused) as error:
            self.rejected.append(Rejected(line, error.message, self.kind if isinstance(document, dict) else None))
            return
        self.known += record.id in self.new
        self.new.setdefault(record.id, record)
        self.lines.setdefault(record.id, line)

    def leave_out(self, known: Container[str]) -> None:
        """What the arena has already."""
        for found in [each for each in self.new if each in known]:
            del self.new[found]
            self.known += 1

    def reject(self, record_id: str, error: str) -> None:
        """One that was taken."""
        del self.new[record_id]
        self.rejected.append(Rejected(self.lines[record_id], error, self.kind))


@dataclass(slots=True)
class Parcel:
    votes: Pile[Vote]
    sessions: Pile[Comparison]
    rosters: Pile[Item]
    prompts: Pile[Item]
    other: int = 0  # records that cannot come back: of battles a file has only what may be told

    @property
    def piles(self) -> Mapping[Kind, Pile[Any]]:
        return {pile.kind: pile for pile in (self.votes, self.sessions, self.rosters, self.prompts)}


def read_file(body: bytes, limits: Limits) -> Parcel:
    """Raises `BadRequest` for what is no file of ours at all."""
    parcel = Parcel(
        Pile("vote", checked_vote),
        Pile("session", lambda document: checked_session(document, limits)),
        Pile("roster", lambda document: checked_item(document, read_roster)),
        Pile("prompts", lambda document: checked_item(document, read_prompts)),
    )
    piles = {str(kind): pile for kind, pile in parcel.piles.items()}
    for line, document in _documents(body):
        named = document.get("record") if isinstance(document, dict) else "vote"
        if isinstance(named, str) and (pile := piles.get(named)):
            pile.take(line, document)
        else:
            parcel.other += 1
    return parcel


def _documents(body: bytes) -> Iterator[tuple[int, object]]:
    if body.lstrip()[:1] not in (b"{", b"["):
        try:
            yield from documents(body.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise BadRequest("The file is neither JSON nor CSV in UTF-8") from None
    elif body.startswith(HEAD) and body.rstrip().endswith(b"\n" + TAIL):
        yield from _lines(body)
    else:
        value = parse_json(body)
        records = value.get("records") if isinstance(value, dict) else value
        if not isinstance(records, list):
            raise BadRequest("This is no export of the arena: there are no records")
        yield from enumerate(records, start=1)


def _lines(body: bytes) -> Iterator[tuple[int, object]]:
    """As `records.document` writes them. A file may hold more than one piece of JSON may; each line is one."""
    for number, line in enumerate(body.split(b"\n"), start=1):
        text = line.strip().rstrip(b",")
        if text and text not in (HEAD, TAIL):
            try:
                yield number, parse_json(text)
            except BadRequest as error:
                yield number, error.message
