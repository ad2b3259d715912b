"""A ballot as a JSON object, and back. What is at its default is left out: a board reads a hundred thousand of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any

from puna.arena.ballots import Ballot, Entry
from puna.arena.verdicts import Kind, Verdict

Json = dict[str, Any]

_DIFFERENT = 4096  # verdicts, and sets of categories, that are shared

_DEFAULTS = {
    kind: {field.name: field.default for field in fields(kind) if field.default is not MISSING}
    for kind in (Ballot, Entry)
}


def ballot_document(ballot: Ballot) -> Json:
    """`{"battle", "at", "verdict": {"kind", "groups"}, "entries": […]}` and what is not at its default."""
    return {
        "battle": ballot.battle,
        "at": ballot.at.isoformat(),
        "verdict": {"kind": ballot.verdict.kind, "groups": ballot.verdict.groups},
        "entries": [_told(entry) for entry in ballot.entries],
        **_told(ballot, but=("battle", "at", "verdict", "entries", "categories")),
        **({"categories": sorted(ballot.categories)} if ballot.categories else {}),
    }


def read_ballot(document: Mapping[str, Any]) -> Ballot:
    """Of a document that `ballot_document` made: nothing is checked. What many ballots have in common is one object."""
    plain = dict(document)
    verdict = plain.pop("verdict")
    return Ballot(
        battle=plain.pop("battle"),
        at=datetime.fromisoformat(plain.pop("at")),
        verdict=_verdict(verdict["kind"], tuple(map(tuple, verdict["groups"]))),
        entries=tuple(Entry(**_with_shared_names(entry)) for entry in plain.pop("entries")),
        categories=_categories(tuple(plain.pop("categories", ()))),
        **plain,
    )


@lru_cache(maxsize=_DIFFERENT)
def _verdict(kind: Kind, groups: tuple[tuple[str, ...], ...]) -> Verdict:
    return Verdict(kind, groups)


@lru_cache(maxsize=_DIFFERENT)
def _categories(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(names)


def _with_shared_names(entry: Mapping[str, Any]) -> Json:
    return {**entry, **{name: intern(entry[name]) for name in ("slot", "instance", "model", "family")}}


def _told(record: Ballot | Entry, but: tuple[str, ...] = ()) -> Json:
    defaults = _DEFAULTS[type(record)]
    told = {field.name: getattr(record, field.name) for field in fields(record) if field.name not in but}
    return {name: value for name, value in told.items() if name not in defaults or value != defaults[name]}
