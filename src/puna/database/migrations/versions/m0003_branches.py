"""A turn of a session may go on from one answer, for all of its instances: which one, as JSON."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("arena_turns", sa.Column("follows", sa.Text))
