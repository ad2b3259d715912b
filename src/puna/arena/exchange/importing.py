"""Votes of a file: our own JSON or CSV, every one checked, those that are known already left out (contract §2.11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from puna.arena.exchange.checking import checked_vote
from puna.arena.exchange.records import HEAD, TAIL
from puna.arena.exchange.table import documents
from puna.arena.storage.votes import Vote, Votes
from puna.errors import BadRequest
from puna.serving.wire import parse_json

_SHOWN = 100  # lines that were rejected, in the summary


@dataclass(frozen=True, slots=True)
class Rejected:
    line: int  # of the file; where all records stand on one line, the record's number
    error: str


@dataclass(frozen=True, slots=True)
class Summary:
    new: int
    known: int
    other: int  # records that are no votes: sessions, battles, rosters and prompts stay where they are
    rejected: tuple[Rejected, ...]

    def wire(self) -> dict[str, Any]:
        shown = [{"line": each.line, "error": each.error} for each in self.rejected[:_SHOWN]]
        return {
            "new": self.new, "known": self.known, "other": self.other, "rejected": shown,
            "rejected_count": len(self.rejected),
        }  # fmt: skip


def import_votes(body: bytes, votes: Votes, *, dry_run: bool) -> Summary:
    """With `dry_run` nothing is kept. Good votes are kept though others are rejected. Blocks.

    Raises `BadRequest` for what is no file of ours at all, and `DatabaseFailed`.
    """
    accepted: dict[str, Vote] = {}
    rejected, repeated, other = [], 0, 0
    for line, document in _documents(body):
        if isinstance(document, dict) and document.get("record") != "vote":
            other += 1
            continue
        try:
            vote = checked_vote(document)
        except BadRequest as error:
            rejected.append(Rejected(line, error.message))
        else:
            repeated += vote.id in accepted
            accepted.setdefault(vote.id, vote)
    known = votes.known(accepted)
    new = [vote for vote in accepted.values() if vote.id not in known]
    count = len(new) if dry_run else votes.add_many(new)
    return Summary(count, len(accepted) - count + repeated, other, tuple(rejected))


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
