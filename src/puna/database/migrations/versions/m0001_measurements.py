"""Measurements of `puna meter`: one row per model and run.

The reference's columns (contract meter §12), so that the file of an OMeter is taken over as it is, and beside them
Puna's own.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TABLE = "benchmark_runs"
COLUMNS = (
    ("timestamp", sa.Text, False),
    ("model_name", sa.Text, False),
    ("model_size", sa.Text, True),
    ("quantization", sa.Text, True),
    ("capabilities", sa.Text, True),
    ("mode", sa.Text, True),
    ("error", sa.Text, True),
    ("context_length", sa.Integer, True),
    ("num_predict", sa.Integer, True),
    ("parallel", sa.Integer, True),
    ("ttft", sa.Double, True),
    ("tps", sa.Double, True),
    ("prompts", sa.Text, True),
    ("run_id", sa.Text, True),
    ("alike", sa.Text, True),
    ("result", sa.Text, True),
)


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table(TABLE):
        op.create_table(TABLE, sa.Column("id", sa.Text, primary_key=True), *map(_column, COLUMNS))
    there = {column["name"] for column in inspector.get_columns(TABLE)} if inspector.has_table(TABLE) else set()
    for column in COLUMNS:
        if there and column[0] not in there:
            op.add_column(TABLE, _column(column))
    op.create_index("idx_benchmark_runs_model", TABLE, ["model_name"], if_not_exists=True)
    op.create_index("idx_benchmark_runs_alike", TABLE, ["alike", "timestamp"])
    op.create_index("idx_benchmark_runs_run", TABLE, ["run_id"])


def _column(described: tuple[str, type[sa.types.TypeEngine[Any]], bool]) -> sa.Column[Any]:
    name, kind, nullable = described
    return sa.Column(name, kind, nullable=nullable)
