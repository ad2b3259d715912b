"""Bring a database's tables to what this version of Puna expects, by the migrations beside this file."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from puna.errors import DatabaseFailed

NEWEST = "0003"
"""The last migration. A database that has it is not looked at further: Alembic takes 100 ms to import."""


def upgrade(connection: Connection) -> None:
    """Inside the caller's transaction. Raises `DatabaseFailed` for a database that a newer Puna has changed."""
    found = _revision(connection)
    if found == NEWEST:
        return
    if found is not None and found > NEWEST:
        raise DatabaseFailed("a newer version of Puna has changed it: update this one")
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "puna.database:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision
