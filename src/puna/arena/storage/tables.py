"""The arena's tables, and how their columns hold texts, times and documents (contract arena §2.11).

In Python a `Moment` is an aware datetime and a `Document` is what JSON can say; the database has TEXT for both, and for
`Words`.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

_UNSTORABLE = re.compile("[\0\x10]")
_STORED = re.compile("\x10([01])")


class Words(TypeDecorator[str]):
    """Any text, ids that come from outside among them, kept as it is.

    PostgreSQL has no NUL, and SQLite's search ends at one, so it is written otherwise.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value and _UNSTORABLE.sub(lambda found: "\x100" if found[0] == "\0" else "\x101", value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        return value and _STORED.sub(lambda found: "\0" if found[1] == "0" else "\x10", value)


class Moment(TypeDecorator[datetime]):
    """UTC in ISO 8601 with microseconds: of one length, so that texts sort as times do."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class Document(TypeDecorator[Any]):
    """A value as JSON; None is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any | None:
        return None if value is None else orjson.loads(value)


def folded(text: str) -> str:
    """What a search compares: without capitals, and with one way to write each letter."""
    return unicodedata.normalize("NFKC", text.casefold())


metadata = MetaData()

sessions = Table(
    "arena_sessions",
    metadata,
    Column("id", Words, primary_key=True),
    Column("title", Words, nullable=False),
    Column("system", Words, nullable=False),
    Column("instances", Document, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("folded", Words, nullable=False),  # of the title
)

turns = Table(
    "arena_turns",
    metadata,
    Column("session", Words, primary_key=True),
    Column("number", Integer, primary_key=True),  # from 1
    Column("prompt", Words, nullable=False),
    Column("images", Document, nullable=False),  # base64
    Column("image_count", Integer, nullable=False),  # so that a listing need not read megabytes
    Column("at", Moment, nullable=False),
    Column("folded", Words, nullable=False),  # of the prompt
    Column("follows", Document),  # the answer that all of its instances go on from
    ForeignKeyConstraint(["session"], ["arena_sessions.id"], ondelete="CASCADE"),
)

answers = Table(
    "arena_answers",
    metadata,
    Column("session", Words, primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("instance_id", Words, primary_key=True),
    Column("place", Integer, nullable=False),  # from the left, 0 first
    Column("instance", Document, nullable=False),
    Column("state", Text, nullable=False),
    Column("text", Words, nullable=False),
    Column("thinking", Words, nullable=False),
    Column("error", Words, nullable=False),
    Column("done_reason", Words, nullable=False),
    Column("folded", Words, nullable=False),  # of the text
    Column("metrics", Document),
    Column("timings", Document),
    Column("liked", Boolean),
    ForeignKeyConstraint(["session", "turn"], ["arena_turns.session", "arena_turns.number"], ondelete="CASCADE"),
)

battles = Table(
    "arena_battles",
    metadata,
    Column("id", Words, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("blind", Boolean, nullable=False),
    Column("prompt", Words, nullable=False),
    Column("document", Document, nullable=False),
)

votes = Table(
    "arena_votes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),  # the order in which they were kept
    Column("id", Words, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("battle", Words, nullable=False),
    Column("at", Moment, nullable=False),
    Column("ballot", Document),
    Column("details", Document, nullable=False),
)

shelf = Table(
    "arena_shelf",
    metadata,
    Column("id", Words, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Words, nullable=False),
    Column("created", Moment, nullable=False),
    Column("document", Document, nullable=False),
)
