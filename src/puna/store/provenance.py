"""Where pulled models came from (threats T09), remembered by manifest digest so that a copy keeps its origin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from puna.errors import InvalidName
from puna.names import ModelName
from puna.store.record import Record

_REGISTRY = re.compile(r"https?://[!-~]{1,400}", re.ASCII)
_YEAR_10000 = 253_402_300_800  # where calendars end
_VALUE = re.compile(r"(\d{1,18}) (\S+) (\S+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of one manifest."""

    registry: str  # scheme, host and port as they were talked to: `https://registry.ollama.ai`
    name: ModelName  # what was asked for there
    pulled_at: int  # Unix time in seconds

    def __post_init__(self) -> None:
        if not _REGISTRY.fullmatch(self.registry) or not 0 <= self.pulled_at < _YEAR_10000:
            raise ValueError("not a provenance")


def provenance_record(path: Path) -> Record[Provenance]:
    """The record of one store: a line is `<manifest's hex> <pulled_at> <registry> <full name>`."""
    return Record(path, _show, _read, durable=True)


def _show(provenance: Provenance) -> str:
    return f"{provenance.pulled_at} {provenance.registry} {provenance.name.full}"


def _read(text: str) -> Provenance | None:
    found = _VALUE.fullmatch(text)
    try:
        return Provenance(found[2], ModelName.parse(found[3]), int(found[1])) if found else None
    except (InvalidName, ValueError):
        return None
