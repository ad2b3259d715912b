"""What the arena keeps: sessions with their turns and answers, battles, votes, and named rosters and prompts.

Ids are UUID4 in hex digits, times UTC in ISO 8601 with microseconds, documents JSON. A `folded` column holds what a
search looks at: neither database folds every alphabet's capitals by itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _create_sessions()
    op.create_table(
        "arena_battles",
        sa.Column("id", sa.Text, primary_key=True),
        *_texts("at", "state"),
        sa.Column("blind", sa.Boolean, nullable=False),
        *_texts("prompt", "document"),
    )
    op.create_index("idx_arena_battles_at", "arena_battles", ["at"])
    op.create_table(
        "arena_votes",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        *_texts("kind", "battle", "at"),
        sa.Column("ballot", sa.Text),
        *_texts("details"),
    )
    op.create_index("idx_arena_votes_battle", "arena_votes", ["battle"])
    op.create_table(
        "arena_shelf",
        sa.Column("id", sa.Text, primary_key=True),
        *_texts("kind", "name", "created", "document"),
    )
    op.create_index("idx_arena_shelf_kind", "arena_shelf", ["kind", "created"])


def _create_sessions() -> None:
    op.create_table(
        "arena_sessions",
        sa.Column("id", sa.Text, primary_key=True),
        *_texts("title", "system", "instances", "created", "updated", "folded"),
    )
    op.create_index("idx_arena_sessions_updated", "arena_sessions", ["updated"])
    op.create_table(
        "arena_turns",
        sa.Column("session", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        *_texts("prompt", "images", "at", "folded"),
        sa.Column("image_count", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["session"], ["arena_sessions.id"], ondelete="CASCADE"),
    )
    op.create_table(
        "arena_answers",
        sa.Column("session", sa.Text, primary_key=True),
        sa.Column("turn", sa.Integer, primary_key=True),
        sa.Column("instance_id", sa.Text, primary_key=True),
        sa.Column("place", sa.Integer, nullable=False),
        *_texts("instance", "state", "text", "thinking", "error", "done_reason", "folded"),
        sa.Column("metrics", sa.Text),
        sa.Column("timings", sa.Text),
        sa.Column("liked", sa.Boolean),
        sa.ForeignKeyConstraint(["session", "turn"], ["arena_turns.session", "arena_turns.number"], ondelete="CASCADE"),
    )
    op.create_index("idx_arena_answers_state", "arena_answers", ["state"])


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
