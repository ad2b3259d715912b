"""Earlier measurements, in SQL: one row per model and run (contract meter §12, C1 to C3, C9, C12)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

import orjson
from sqlalchemy import Column, Double, Integer, MetaData, RowMapping, Select, Table, Text, func, insert, select

from puna.database import Database

LIMIT = 20  # rows per model that a listing shows
BASELINE = 5  # of the newest comparable rows, whose median a new result is compared with (C1)

metadata = MetaData()
rows = Table(
    "benchmark_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("timestamp", Text, nullable=False),
    Column("model_name", Text, nullable=False),
    *(Column(name, Text) for name in ("model_size", "quantization", "capabilities", "mode", "error")),
    *(Column(name, Integer) for name in ("context_length", "num_predict", "parallel")),
    Column("ttft", Double),
    Column("tps", Double),
    *(Column(name, Text) for name in ("prompts", "run_id", "alike", "result")),
)


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One model of one run. `timestamp` is UTC in ISO 8601, `ttft` seconds, `tps` tokens per second."""

    id: str  # UUID4
    timestamp: str
    model_name: str
    model_size: str | None = None
    quantization: str | None = None
    capabilities: str | None = None
    mode: str | None = None  # the endpoint's name
    error: str | None = None
    context_length: int | None = None
    num_predict: int | None = None
    parallel: int | None = None
    ttft: float | None = None
    tps: float | None = None
    prompts: str | None = None  # a JSON array
    run_id: str | None = None  # rows of the reference have none, nor the next two
    alike: str | None = None  # equal for results that may be compared
    result: str | None = None  # the model's object of the v2 envelope, as JSON

    @property
    def prompt_list(self) -> list[str] | None:
        """None for a row whose prompts cannot be read."""
        try:
            found = orjson.loads(self.prompts or "")
        except orjson.JSONDecodeError:
            return None
        return found if isinstance(found, list) else None


def alike(
    *, url: str, digest: str, prompts: Sequence[str], num_predict: int | None, think: object, parallel: int
) -> str:
    """Equal for runs of the same model, with the same questions and settings, at the same endpoint (C2)."""
    said = orjson.dumps([url, digest, list(prompts), num_predict, think, parallel])
    return hashlib.sha256(said).hexdigest()


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a new result is compared with."""

    ttft: float | None
    tps: float | None


class History:
    """Every method raises `DatabaseFailed`; nothing is opened before the first of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, row: HistoryRow) -> None:
        with self._database.writing() as connection:
            connection.execute(insert(rows), asdict(row))

    def newest(self, models: Sequence[str] = (), *, per_model: int = 1) -> list[HistoryRow]:
        """The newest rows of each of `models` (exact names; none = all models), newest first."""
        age = func.row_number().over(partition_by=rows.c.model_name, order_by=(rows.c.timestamp.desc(), rows.c.id))
        ranked = select(rows, age.label("age"))
        if models:
            ranked = ranked.where(rows.c.model_name.in_(models))
        found = ranked.subquery()
        columns = [found.c[column.name] for column in rows.c]
        return self._rows(
            select(*columns).where(found.c.age <= per_model).order_by(found.c.timestamp.desc(), found.c.id)
        )

    def names(self) -> list[str]:
        with self._database.reading() as connection:
            return list(connection.scalars(select(rows.c.model_name).distinct()))

    def baseline(self, key: str) -> Baseline | None:
        """The medians of the newest comparable rows that succeeded; None without one (C1, C2)."""
        earlier = self._rows(
            select(rows)
            .where(rows.c.alike == key, rows.c.error.is_(None))
            .order_by(rows.c.timestamp.desc())
            .limit(BASELINE)
        )
        if not earlier:
            return None
        return Baseline(_middle([row.ttft for row in earlier]), _middle([row.tps for row in earlier]))

    def run(self, start: str) -> list[HistoryRow]:
        """The rows of the runs whose id begins with `start`, oldest first."""
        found = rows.c.run_id.startswith(start, autoescape=True)
        return self._rows(select(rows).where(found).order_by(rows.c.timestamp, rows.c.id))

    def run_ids(self, limit: int = LIMIT) -> list[str]:
        """The newest runs, newest first."""
        began = func.min(rows.c.timestamp)
        wanted = select(rows.c.run_id).where(rows.c.run_id.is_not(None)).group_by(rows.c.run_id)
        with self._database.reading() as connection:
            return [str(found) for found in connection.scalars(wanted.order_by(began.desc()).limit(limit))]

    def _rows(self, wanted: Select[tuple[object, ...]]) -> list[HistoryRow]:
        with self._database.reading() as connection:
            return [_row(found) for found in connection.execute(wanted).mappings()]


def _row(found: RowMapping) -> HistoryRow:
    return HistoryRow(**{str(name): value for name, value in found.items()})


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
