"""Typed lines come back in the next session, and stay private (contract ollama-store §6.6)."""

from __future__ import annotations

import stat
from pathlib import Path

from puna.cli.chat.history import FileHistory, history_file


def test_lines_come_back_newest_first(home: Path) -> None:
    history = FileHistory(history_file())
    for line in ("one", "two\nthree", "   "):
        history.append_string(line)
    path = home / ".ollama" / "history"
    assert path.read_text() == "one\ntwo\nthree\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(FileHistory(path).load_history_strings()) == ["three", "two", "one"]


def test_only_the_last_hundred_lines_are_kept(home: Path) -> None:
    history = FileHistory(history_file())
    for number in range(130):
        history.append_string(str(number))
    assert history_file().read_text().split() == [str(number) for number in range(30, 130)]


def test_a_history_that_others_could_read_becomes_private(home: Path) -> None:
    path = history_file()
    path.parent.mkdir()
    path.write_text("old\n")
    path.chmod(0o644)
    FileHistory(path).append_string("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "old\nnew\n"


def test_nothing_is_written_while_it_is_off(home: Path) -> None:
    history = FileHistory(history_file(), enabled=False)
    history.append_string("secret")
    assert not history_file().exists()
    history.enabled = True
    history.append_string("open")
    assert history_file().read_text() == "open\n"


def test_a_folder_that_cannot_be_written_does_not_end_the_chat(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    history = FileHistory(blocked / "history")
    history.append_string("hi")
    assert not history.enabled
    assert list(history.load_history_strings()) == []


def test_a_history_that_is_no_text_is_read_as_well_as_it_can_be(home: Path) -> None:
    history_file().parent.mkdir()
    history_file().write_bytes(b"good\n\xff\xfe\n")
    assert list(FileHistory(history_file()).load_history_strings())[-1] == "good"
