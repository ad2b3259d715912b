"""Which database: a URL, or the path of an SQLite file."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from puna.environment import at_home
from puna.errors import BadRequest

DEFAULT = "~/.puna/puna.db"

_SQLITE = ("sqlite", "sqlite+pysqlite")
_POSTGRESQL = ("postgres", "postgresql", "postgresql+psycopg")


def database_url(text: str = "") -> URL:
    """The database that a setting names; empty = the default file. Raises `BadRequest` without a password."""
    if "://" not in text:
        return _file(text or DEFAULT)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise BadRequest("the database is no URL: give postgresql://user@host/name or the path of a file") from None
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in _SQLITE and url.database:
        return _file(url.database)
    raise BadRequest(f"{url.drivername} is no database of ours: give postgresql://user@host/name or the path of a file")


def _file(path: str) -> URL:
    return URL.create("sqlite", database=str(at_home(Path(path)).absolute()))
