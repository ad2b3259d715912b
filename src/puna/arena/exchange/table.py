"""Votes as CSV (contract arena §2.11): a line for each comparison, the first columns as public ranking tools read them.

The others hold what a board needs, so that the votes can come back: all lines of one `vote_id` are one verdict.
Spreadsheets take some cells for formulas. Such a cell gets an apostrophe in front, as does one that has one already,
so that reading it takes off just that.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from puna.arena.ballots import Ballot, Entry
from puna.arena.storage.votes import Vote
from puna.arena.verdicts import Verdict
from puna.errors import BadRequest

Json = dict[str, Any]

_SIDE = ("slot", "base", "family", "tokens", "tokens_per_s", "first_token_s", "leak")
COLUMNS = (
    "tstamp", "battle_id", "category", "model_a", "model_b", "winner", "voter", "blind", "leaked", "fast", "language",
    "prompt_set", "weight", "vote_id", "kind", "verdict", *(f"{name}_{side}" for name in _SIDE for side in "ab"),
)  # fmt: skip

_FORMULA = tuple("'=+-@\t\r\n＝＋－＠")  # spreadsheets read the wide ones, too


def lines(votes: Iterable[Vote]) -> Iterator[bytes]:
    """UTF-8, ended by CRLF, the header first. Only votes with a ballot make lines."""
    yield _line(COLUMNS)
    for vote in votes:
        if vote.ballot is not None:
            yield b"".join(map(_line, _rows(vote, vote.ballot)))


def documents(text: str) -> Iterator[tuple[int, Json]]:
    """The votes of a file that `lines` made, unchecked, in the form of `records`, each with its first line's number.

    Raises `BadRequest` where that is no such file.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise BadRequest(f"This is no export of votes: column {missing[0]} is missing")
        votes: dict[str, tuple[int, list[Mapping[str, str]]]] = {}
        for row in reader:
            cells = {name: _read(row[name]) for name in COLUMNS}
            votes.setdefault(cells["vote_id"], (reader.line_num, []))[1].append(cells)
    except csv.Error as error:
        raise BadRequest(f"This is not CSV after line {reader.line_num}: {error}") from None
    for number, rows in votes.values():
        yield number, _document(rows)


def _rows(vote: Vote, ballot: Ballot) -> Iterator[Sequence[object]]:
    entries = {entry.slot: entry for entry in ballot.entries}
    leaks = {entry.leak for entry in ballot.entries}
    leaked = next((leak for leak in ("hard", "soft") if leak in leaks), None)
    for slot, other, score in ballot.verdict.scores():
        one, two = entries[slot], entries[other]
        sides = zip(_side(one), _side(two), strict=True)
        yield (
            f"{vote.at.timestamp():.6f}", vote.battle, "|".join(sorted(ballot.categories)), one.instance, two.instance,
            _winner(ballot.verdict, score), ballot.voter, _told(ballot.blind), leaked, _told(ballot.fast),
            ballot.language, ballot.prompt_set, ballot.weight, vote.id, vote.kind, _verdict(ballot.verdict),
            *(value for pair in sides for value in pair),
        )  # fmt: skip


def _side(entry: Entry) -> tuple[object, ...]:
    return (
        entry.slot, entry.model, entry.family, entry.tokens, entry.tokens_per_s, entry.first_token_s, entry.leak
    )  # fmt: skip


def _winner(verdict: Verdict, score: float) -> str:
    if verdict.kind == "both_bad":
        return "both_bad"
    return {1.0: "model_a", 0.5: "tie", 0.0: "model_b"}[score]


def _verdict(verdict: Verdict) -> str:
    """`ranking:B>A,C`."""
    return f"{verdict.kind}:{'>'.join(','.join(group) for group in verdict.groups)}"


def _line(cells: Iterable[object]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(map(_cell, cells))
    return buffer.getvalue().encode()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _read(cell: str) -> str:
    return cell.removeprefix("'")


def _told(flag: bool) -> str:
    return "true" if flag else "false"


def _document(rows: Sequence[Mapping[str, str]]) -> Json:
    first = rows[0]
    kind, _, groups = first["verdict"].partition(":")
    entries = {row[f"slot_{side}"]: _entry(row, side) for row in rows for side in "ab"}
    at = _moment(first["tstamp"])
    return {
        "record": "vote",
        "id": first["vote_id"],
        "kind": first["kind"],
        "battle": first["battle_id"],
        "at": at,
        "details": {},
        "ballot": {
            "battle": first["battle_id"],
            "at": at,
            "verdict": {"kind": kind, "groups": [group.split(",") for group in groups.split(">")]},
            "entries": [entries[slot] for slot in sorted(entries)],
            "voter": first["voter"],
            "weight": first["weight"],
            "blind": first["blind"],
            "fast": first["fast"],
            "categories": [name for name in first["category"].split("|") if name],
            "prompt_set": first["prompt_set"] or None,
            "language": first["language"] or None,
        },
    }


def _entry(row: Mapping[str, str], side: str) -> Json:
    found: Json = {name: row[f"{name}_{side}"] or None for name in _SIDE if name != "base"}
    return found | {"instance": row[f"model_{side}"], "model": row[f"base_{side}"], "family": row[f"family_{side}"]}


def _moment(seconds: str) -> str:
    """Left as it is where it is no time: the check says so."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return seconds
