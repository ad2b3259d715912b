"""`--raw FILE.jsonl`: every request with the arrival of each chunk, one JSON object a line (contract meter §24, 18).

Whoever doubts a number can reckon it again from here. Stamps are nanoseconds since the request was sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from puna.meter.cell import Cell, ModelResult, RunResult
from puna.meter.records import RequestRecord


def raw_lines(run: RunResult) -> Iterator[str]:
    """Without newlines; warm-ups and cold requests first, then each cell's in the order of sending."""
    for result in run.models:
        for apart in (result.cold, result.warm_up):
            if apart is not None:
                yield _line(run, result, apart, None)
        for cell in result.cells:
            for record in cell.records:
                yield _line(run, result, record, cell)


def _line(run: RunResult, result: ModelResult, record: RequestRecord, cell: Cell | None) -> str:
    found: dict[str, Any] = {"run": run.id, "digest": result.model.digest}
    found |= {name: getattr(record, name) for name in RequestRecord.__dataclass_fields__ if name != "stamps"}
    found["chunks"] = [(stamp.at_ns, stamp.part, stamp.characters) for stamp in record.stamps]
    if cell is not None:
        plan = cell.plan
        found["cell"] = {
            name: getattr(plan, name) for name in ("depth", "concurrency", "arrival", "rate", "batch", "seed")
        }
        found["settings"] = cell.settings
    return orjson.dumps(_encodable(found)).decode()


def _encodable(value: Any) -> Any:
    """`value` without lone surrogates in its texts, which UTF-8 cannot carry."""
    if isinstance(value, dict):
        return {key: _encodable(each) for key, each in value.items()}
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
