"""One SQL database: SQLite in a private file, or PostgreSQL. Opened and brought up to date when it is first used.

Calls block: a server makes them in threads.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from puna.database.upgrade import upgrade
from puna.errors import DatabaseFailed

_PATIENCE_S = 30  # for another process that writes
_LOCK = 0x50554E41  # an advisory lock of our own in PostgreSQL: one process migrates at a time


class Database:
    """`reading` and `writing` raise `DatabaseFailed`, one line without paths or passwords."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._engine: Engine | None = None
        self._opening = threading.Lock()

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A transaction that sees one state of things and changes nothing."""
        with _worded(), self._opened().connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """A transaction that is kept when the block ends, and undone when it raises."""
        with _worded(), self._opened().connect() as connection, self._begun(connection):
            yield connection

    def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                engine = self._connected()
                try:
                    with engine.connect() as connection, self._begun(connection):
                        if not self.is_sqlite:
                            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                        upgrade(connection)
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    def _connected(self) -> Engine:
        if not self.is_sqlite:
            return create_engine(self.url, pool_pre_ping=True)
        _private_file(Path(self.url.database or ""))
        engine = create_engine(self.url, connect_args={"timeout": _PATIENCE_S, "isolation_level": None})
        event.listen(engine, "connect", _prepare_sqlite)
        return engine

    @contextmanager
    def _begun(self, connection: Connection) -> Generator[None]:
        """SQLite takes its write lock at once: two that read first and write then would refuse each other."""
        with connection.begin():
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = NORMAL")


def _private_file(path: Path) -> None:
    """Readable by its owner only, from its first byte."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise DatabaseFailed((error.strerror or "input failed").lower()) from None


@contextmanager
def _worded() -> Generator[None]:
    try:
        yield
    except OperationalError as error:
        raise DatabaseFailed(_first_line(error.orig)) from error
    except NoSuchModuleError:
        raise DatabaseFailed("there is no driver for it") from None
    except ModuleNotFoundError:
        raise DatabaseFailed("PostgreSQL needs a driver: pip install 'puna[postgresql]'") from None
    except DBAPIError as error:
        raise DatabaseFailed(_first_line(error.orig)) from error
    except SQLAlchemyError as error:
        raise DatabaseFailed(_first_line(error)) from error


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip().splitlines() or ["it gave no reason"])[0]
