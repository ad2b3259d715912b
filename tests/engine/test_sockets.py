"""Folders of sockets: closed to others, and none is left by a server that was killed."""

from __future__ import annotations

import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from puna.engine.sockets import SocketFolder
from puna.errors import PunaError

MAKE = "from puna.engine.sockets import SocketFolder; import os; s = SocketFolder(None); print(s.path()); os._exit(0)"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_temporary_folder_is_this_users_alone_and_goes_at_the_end(temporary: Path) -> None:
    sockets = SocketFolder(None)
    path = sockets.path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert sockets.path() == path
    sockets.close()
    sockets.close()
    assert list(temporary.iterdir()) == []


def test_the_next_server_removes_what_a_killed_one_left(temporary: Path) -> None:
    left = Path(subprocess.run([sys.executable, "-c", MAKE], check=True, capture_output=True, text=True).stdout.strip())
    (left / "x.sock").touch()
    assert left.parent == temporary
    sockets = SocketFolder(None)
    sockets.path()
    assert not left.exists()
    sockets.close()


def test_the_folder_of_a_living_server_stays() -> None:
    living, other = SocketFolder(None), SocketFolder(None)
    path = living.path()
    other.path()
    assert path.exists()
    other.close()
    living.close()


def test_a_link_with_the_right_name_is_not_followed(temporary: Path) -> None:
    precious = temporary / "precious"
    precious.mkdir()
    (precious / "lock").touch()
    (temporary / "puna-run-x").symlink_to(precious)
    sockets = SocketFolder(None)
    sockets.path()
    sockets.close()
    assert (precious / "lock").exists()


def test_a_chosen_folder_stays_and_is_closed_to_others(temporary: Path) -> None:
    chosen = temporary / "a" / "b"
    sockets = SocketFolder(chosen)
    assert sockets.path() == chosen
    assert stat.S_IMODE(chosen.stat().st_mode) == 0o700
    sockets.close()
    assert chosen.exists()


def test_T26_a_chosen_folder_that_others_may_enter_is_refused_and_left_as_it_is(temporary: Path) -> None:
    shared = temporary / "shared"
    shared.mkdir(mode=0o755)
    shared.chmod(0o755)
    with pytest.raises(PunaError, match="PUNA_RUNTIME_DIR"):
        SocketFolder(shared).path()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
