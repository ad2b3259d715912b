"""A database is made when it is first used, brought up to date, private, and its troubles are told in one line."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from puna.arena.storage import tables
from puna.arena.storage.sessions import Sessions
from puna.database import Database, database_url
from puna.database.upgrade import NEWEST
from puna.errors import BadRequest, DatabaseFailed
from puna.meter import history


def test_the_tables_are_those_that_the_faces_describe(database: Database) -> None:
    with database.writing() as connection:
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, [history.metadata, tables.metadata])
    assert [change for change in found if change[0] != "remove_index"] == []


def test_the_newest_migration_is_the_one_that_is_looked_for() -> None:
    config = Config()
    config.set_main_option("script_location", "puna.database:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


def test_what_an_earlier_puna_kept_stays(url: str) -> None:
    address = database_url(url)
    if address.get_backend_name() == "sqlite":
        Path(str(address.database)).parent.mkdir()
    earlier = create_engine(address)
    with earlier.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "puna.database:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        session = "'s', 'Birds', '', '[]', '2026-11-23T12:00:00.000000+00:00', '2026-11-23T12:00:00.000000+00:00', ''"
        connection.execute(text(f"INSERT INTO arena_sessions VALUES ({session})"))
        names = "session, number, prompt, images, at, folded, image_count"
        turn = "'s', 1, 'Which bird?', '[]', '2026-11-23T12:00:00.000000+00:00', '', 0"
        connection.execute(text(f"INSERT INTO arena_turns ({names}) VALUES ({turn})"))
    earlier.dispose()
    database = Database(address)
    (kept,) = Sessions(database).get("s").turns
    database.close()
    assert (kept.prompt, kept.follows) == ("Which bird?", None)


def test_nothing_is_made_before_the_first_use(tmp_path: Path) -> None:
    Database(database_url(str(tmp_path / "folder/puna.db")))
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "folder/puna.db"
    with Database(database_url(str(path))).reading():
        pass
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_several_programs_may_open_a_new_database_at_once(url: str) -> None:
    troubles: list[Exception] = []

    def use() -> None:
        database = Database(database_url(url))
        try:
            with database.reading() as connection:
                connection.execute(text("SELECT count(*) FROM benchmark_runs"))
        except DatabaseFailed as error:
            troubles.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []


def test_what_raises_is_undone(database: Database) -> None:
    row = text("INSERT INTO benchmark_runs (id, timestamp, model_name) VALUES ('1', 't', 'm')")
    with pytest.raises(DatabaseFailed), database.writing() as connection:
        connection.execute(row), connection.execute(row)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM benchmark_runs")).scalar() == 0


def test_a_database_of_a_newer_puna_is_left_alone(database: Database, url: str) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseFailed, match="newer version of Puna"), Database(database_url(url)).reading():
        pass


def test_a_file_that_is_no_database_is_told_in_one_line_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "puna.db"
    path.write_bytes(b"these are my notes, not a database" * 100)
    with pytest.raises(DatabaseFailed) as caught, Database(database_url(str(path))).reading():
        pass
    assert caught.value.message == "the database cannot be used: file is not a database"
    assert path.read_bytes() == b"these are my notes, not a database" * 100


def test_a_folder_that_cannot_be_made_is_told_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseFailed) as caught, Database(database_url(str(tmp_path / "file/puna.db"))).reading():
        pass
    assert str(tmp_path) not in caught.value.message


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    database = Database(database_url("postgresql://ann:s3cret@127.0.0.1:1/puna"))
    with pytest.raises(DatabaseFailed) as caught, database.reading():
        pass
    assert "s3cret" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("wrong", ["mysql://u:s3cret@h/d", "://", "sqlite://", "postgresql+asyncpg://u:s3cret@h/d"])
def test_other_databases_are_refused_without_their_password(wrong: str) -> None:
    with pytest.raises(BadRequest) as caught:
        database_url(wrong)
    assert "s3cret" not in caught.value.message


def test_the_file_of_an_ometer_is_taken_over_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "ometer_history.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE benchmark_runs (id TEXT PRIMARY KEY, timestamp TEXT NOT NULL, model_name TEXT NOT NULL,"
            " model_size TEXT, context_length INTEGER, quantization TEXT, capabilities TEXT, ttft REAL, tps REAL,"
            " error TEXT, prompts TEXT, num_predict INTEGER, parallel INTEGER, mode TEXT)"
        )
        connection.execute("CREATE INDEX idx_benchmark_runs_model ON benchmark_runs (model_name)")
        connection.execute("INSERT INTO benchmark_runs (id, timestamp, model_name, tps) VALUES ('a', 't', 'm', 8.5)")
    connection.close()
    kept = history.History(Database(database_url(str(path)))).newest()
    assert [(row.model_name, row.tps, row.run_id) for row in kept] == [("m", 8.5, None)]
