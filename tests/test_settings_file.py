"""The settings file: the same names, the same rules, and the environment wins."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from puna import environment
from puna.configfile import MAX_BYTES, read_config
from puna.errors import BadRequest
from puna.settings import Settings
from puna.units import NS


@pytest.fixture
def config(home: Path) -> Path:
    path = home / ".puna/config.toml"
    path.parent.mkdir()
    return path


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ('host = "0.0.0.0:1"', "host", "0.0.0.0:1"),
        ("host = \" '0.0.0.0:1' \"", "host", "0.0.0.0:1"),
        ("keep_alive = 60", "keep_alive", 60 * NS),
        ('keep_alive = "1h"', "keep_alive", 3600 * NS),
        ("num_parallel = 2", "num_parallel", 2),
        ('num_parallel = "2"', "num_parallel", 2),
        ('pull_rate = "20MB"', "pull_rate", 20_000_000),
        ("noprune = true", "noprune", True),
        ("embedded_model = false", "embedded_model", False),
        ('origins = ["http://a", "http://b"]', "origins", "http://a,http://b"),
        ('models = "/m"', "models", Path("/m")),
        ("debug = 1", "debug", "1"),
    ],
)
def test_a_value_of_the_file_is_read_as_the_environments(config: Path, line: str, name: str, value: object) -> None:
    config.write_text(line)
    assert getattr(Settings(), name) == value


def test_a_folder_in_the_file_may_begin_with_the_home_folder(config: Path, home: Path) -> None:
    config.write_text('models = "~/m"\nkeys = "~/k"')
    assert (Settings().models, Settings().keys) == (home / "m", home / "k")


@pytest.mark.parametrize("variable", ["PUNA_MAX_QUEUE", "OLLAMA_MAX_QUEUE"])
def test_the_environment_wins(config: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    config.write_text("max_queue = 1")
    assert (Settings().max_queue, environment.knob("MAX_QUEUE")) == (1, "1")
    monkeypatch.setenv(variable, "2")
    assert (Settings().max_queue, environment.knob("MAX_QUEUE")) == (2, "2")
    monkeypatch.setenv(variable, "")
    assert (Settings().max_queue, environment.knob("MAX_QUEUE")) == (512, "")


def test_what_a_program_asks_for_wins_over_both(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('kv_cache_type = "q4_0"')
    monkeypatch.setenv("OLLAMA_KV_CACHE_TYPE", "f16")
    assert Settings(kv_cache_type="q8_0").kv_cache_type == "q8_0"


def test_unknown_keys_are_one_warning_that_names_the_nearest(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    config.write_text('hots = "x"\nPUNA_MAX_QUEUE = 1\nconfig = "x"\nzzzzzz = 1\n[xyzzy]\nhost = "x"\n')
    Settings()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            logging.WARNING,
            "the settings file holds what is no setting: "
            "PUNA_MAX_QUEUE (did you mean max_queue?), config, hots (did you mean hosts?), xyzzy, zzzzzz",
        )
    ]


@pytest.mark.parametrize("value", ["{a = 1}", "[1, 2]", "2026-01-01", "[[]]"])
def test_a_value_that_is_no_text_is_refused_by_name(config: Path, value: str) -> None:
    config.write_text(f"host = {value}")
    for read in (Settings, lambda: environment.knob("HOST")):
        with pytest.raises(BadRequest, match="setting host in the settings file must be a text"):
            read()


@pytest.mark.parametrize(
    "data",
    [b"host", b"host = ", b"\xff\xfe", b'a = 1\na = 2', b"a = " + b"[" * 100_000, b" " * (MAX_BYTES + 1)],
    ids=["no value", "torn", "not UTF-8", "a key twice", "deep", "too large"],
)  # fmt: skip
def test_a_file_that_is_no_toml_is_refused_and_never_half_read(config: Path, data: bytes) -> None:
    config.write_bytes(data)
    with pytest.raises(BadRequest, match=r"^the settings file ") as refusal:
        Settings()
    assert str(config.parent) not in str(refusal.value)


def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert read_config(tmp_path / "fifo") == {}
    assert read_config(Path("/dev/null")) == {}
    assert read_config(tmp_path / "missing") is None
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(BadRequest, match=r"^the settings file "):
            read_config(path)


def test_a_process_without_a_home_has_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nobody(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "expanduser", nobody)
    assert environment.knob("HOST") == ""
    assert Settings().host == "127.0.0.1:11434"
