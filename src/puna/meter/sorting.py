"""The order of a table's rows (contract meter §9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from puna.errors import BadRequest
from puna.meter.listing import modified
from puna.meter.result import ExportRow
from puna.meter.sizes import size_number

_Key = Callable[[ExportRow], Any]
_FIELDS: Mapping[str, tuple[_Key, bool]] = {  # by name: the key, and whether the largest comes first
    "name": (lambda row: row.model.lower(), False),
    "modified": (lambda row: modified(row.modified_at), True),
    "ttft": (lambda row: inf if row.ttft is None else row.ttft, False),
    "tps": (lambda row: -inf if row.tps is None else row.tps, True),
    "size": (lambda row: size_number(row.size), True),
    "ctx": (lambda row: int(row.context) if row.context.isdecimal() else 0, True),
}


@dataclass(frozen=True, slots=True)
class SortSpec:
    field: str
    descending: bool

    @classmethod
    def parse(cls, raw: str, reverse: bool = False) -> SortSpec:
        """Each field in its own natural direction, unless `reverse`. Raises `BadRequest`."""
        if raw not in _FIELDS:
            raise BadRequest(f"'{raw}' is nothing to sort by: give one of {', '.join(_FIELDS)}")
        return cls(raw, _FIELDS[raw][1] != reverse)


def sort_results(rows: Sequence[ExportRow], spec: SortSpec | None) -> list[ExportRow]:
    """A new list; ties keep their order in both directions, and so do all rows without a `spec`."""
    if spec is None:
        return list(rows)
    return sorted(rows, key=_FIELDS[spec.field][0], reverse=spec.descending)
