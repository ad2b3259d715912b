"""What a reader must know about a cell before quoting it (contract meter §21, §22, §24)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal

from puna.meter.cell import Cell, ModelResult
from puna.meter.metrics import decode_client, decode_server, is_cached, prefill_server
from puna.meter.records import RequestRecord
from puna.meter.statistics import summary

Flag = Literal["cached", "cold", "short", "contended", "unstable", "disputed"]

OUTLIER = 3.0
"""Times the model's median beyond which a prefill was saved by a cache, and a load was a cold one."""

DISPUTED = 2.0
"""Times by which the server's decode rate may differ from what arrived here."""
_ENOUGH_CHUNKS = 16  # of an answer; fewer arrive as they please


def flags(cell: Cell, result: ModelResult) -> tuple[Flag, ...]:
    """In a fixed order; empty for a cell without a blemish."""
    good = [record for record in cell.records if record.ok]
    decode = summary(cell, "decode")
    found: dict[Flag, bool] = {
        "cached": _any_cached(good, result),
        "cold": _any_cold(good, result),
        "short": any(is_short(record, cell.settings.num_predict) for record in good),
        "contended": cell.contended,
        "unstable": decode is not None and decode.steadiness == "unstable",
        "disputed": any(map(is_disputed, good)),
    }
    return tuple(flag for flag, is_so in found.items() if is_so)


def is_short(record: RequestRecord, requested: int | None) -> bool:
    """Whether the model said less than the fixed length (M25)."""
    said = record.server.output_tokens
    wanted = requested is not None and requested > 0 and record.kind == "chat" and record.ok
    return wanted and said is not None and requested is not None and said < requested


def is_disputed(record: RequestRecord) -> bool:
    """Whether the server's rate is far from the one seen here: it lies, or something between holds the text back."""
    theirs, ours = decode_server(record), decode_client(record)
    if theirs is None or ours is None or len(record.stamps) < _ENOUGH_CHUNKS:
        return False
    return not 1 / DISPUTED <= theirs / ours <= DISPUTED


def _any_cached(good: Sequence[RequestRecord], result: ModelResult) -> bool:
    rates = [rate for record in _all_good(result) if (rate := prefill_server(record)) is not None]
    limit = OUTLIER * median(rates) if rates else 0.0
    return any(is_cached(record) or (prefill_server(record) or 0.0) > limit for record in good)


def _any_cold(good: Sequence[RequestRecord], result: ModelResult) -> bool:
    loads = [record.server.load_ns for record in _all_good(result) if record.server.load_ns is not None]
    if not loads:
        return False
    if result.warm_up is None and len(loads) == 1:
        return True  # the first request ever, and nothing to compare it with
    limit = OUTLIER * median(loads)
    return any((record.server.load_ns or 0) > limit for record in good)


def _all_good(result: ModelResult) -> list[RequestRecord]:
    return [record for cell in result.cells for record in cell.records if record.ok]
