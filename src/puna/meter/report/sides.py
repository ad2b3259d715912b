"""The two sides of a comparison: a v2 file, or a run of the history (contract meter §24, row 10)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from puna.errors import BadRequest, NotFound
from puna.meter.history import History, HistoryRow
from puna.meter.report.schema import MAX_BYTES, Envelope, Host, Model, read_envelope, read_model

_LAST = re.compile(r"last(?:~(\d{1,6}))?", re.ASCII)
_ID = re.compile(r"[0-9a-f][0-9a-f-]{3,35}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Side:
    """What was measured at one time. The history keeps no host; None = unknown."""

    title: str
    models: tuple[Model, ...]
    host: Host | None = None


def side(text: str, history: History) -> Side:
    """What `text` names: a file, `last`, `last~N`, or a run by the start of its id.

    Raises `BadRequest`, `NotFound` or `DatabaseFailed`; the history is opened only when it is needed.
    """
    path = Path(text)
    if path.is_file():
        return of_envelope(path.name, read_envelope(_content(path)))
    if found := _LAST.fullmatch(text):
        return _of_rows(history.run(_recent(history, int(found[1] or 0))))
    if _ID.fullmatch(text):
        return _of_rows(_only(text, history.run(text.lower())))
    raise NotFound(f"there is no file {text}; a run is named by the start of its id, or last, last~1 and so on")


def of_envelope(title: str, found: Envelope) -> Side:
    return Side(f"{title}, {found.run.started_at[:19].replace('T', ' ')}", found.models, found.host)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadRequest(f"could not read {path}: {(error.strerror or 'input failed').lower()}") from None


def _recent(history: History, back: int) -> str:
    ids = history.run_ids(limit=back + 1)
    if len(ids) <= back:
        raise NotFound(f"the history has {len(ids)} run{'' if len(ids) == 1 else 's'}: measure more with puna meter")
    return ids[back]


def _only(start: str, rows: Sequence[HistoryRow]) -> Sequence[HistoryRow]:
    ids = sorted({row.run_id or "" for row in rows})
    if not ids:
        raise NotFound(f"there is no file {start}, and no run whose id begins so")
    if len(ids) > 1:
        raise BadRequest(f"{start} begins the ids of {len(ids)} runs, such as {ids[0]} and {ids[1]}")
    return rows


def _of_rows(rows: Sequence[HistoryRow]) -> Side:
    models = tuple(model for row in rows if row.result and (model := read_model(row.result)) is not None)
    began = rows[0].timestamp[:19].replace("T", " ")
    return Side(f"run {(rows[0].run_id or '')[:8]}, {began}", models)
