"""The file of API keys: private, digests only, never torn, and refused when it says anything else (threats T22)."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puna.errors import BadRequest, NotFound, PunaError
from puna.keys import EVERY_RIGHT, KeyFile, Keyring, Right


@pytest.fixture
def file(home: Path) -> KeyFile:
    return KeyFile(home / ".puna")


@pytest.fixture
def path(file: KeyFile) -> Path:
    return file.folder / "keys.json"


def test_without_a_file_there_are_no_keys_and_reading_makes_none(file: KeyFile) -> None:
    assert (file.load(), file.stamp()) == ((), None)
    assert not file.folder.exists()


def test_a_key_is_made_found_and_revoked(file: KeyFile) -> None:
    key, text = file.create("laptop", [Right.READ, Right.INFER])
    assert file.load() == [key]
    assert text.startswith(f"puna_{key.id}_")
    assert len(text.rpartition("_")[2]) == 64  # 256 bits
    assert key.rights == {Right.INFER, Right.READ}
    assert file.revoke(key.id) == key
    assert file.load() == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_T22_only_the_owner_may_read_it_and_no_secret_is_in_it(file: KeyFile, path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        _, text = file.create("laptop", [Right.INFER])
        file.create("phone", [Right.INFER])
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.folder.stat().st_mode) == 0o700
    assert text.rpartition("_")[2] not in path.read_text()
    assert list(file.folder.iterdir()) == [path]


def test_T22_a_key_never_shows_in_its_repr(file: KeyFile) -> None:
    key, _ = file.create("laptop", [Right.INFER])
    assert "digest" not in repr(key)


@pytest.mark.parametrize("name", ["", " a", "a ", "a\n", "a\x1b[2J", "é", "x" * 65, "a=b", "PUNA_API_KEY"])
def test_a_name_that_would_not_fit_into_the_log_is_refused(file: KeyFile, name: str) -> None:
    with pytest.raises(BadRequest, match="name"):
        file.create(name, [Right.INFER])
    assert file.load() == ()


def test_two_keys_never_have_one_name(file: KeyFile) -> None:
    file.create("laptop", [Right.INFER])
    with pytest.raises(BadRequest, match='"laptop" already'):
        file.create("laptop", [Right.READ])
    assert len(file.load()) == 1


def test_revoking_an_unknown_key_says_where_to_look(file: KeyFile) -> None:
    with pytest.raises(NotFound, match="puna key list"):
        file.revoke("0" * 12)


ROW = {"id": "0" * 12, "name": "n", "rights": ["infer"], "created": "2026-01-01T00:00:00+00:00", "sha256": "0" * 64}


def holding(*rows: Any, version: Any = 1) -> bytes:
    return json.dumps({"version": version, "keys": rows}).encode()


HOSTILE = {
    "empty": b"",
    "torn": holding(ROW)[:-20],
    "not JSON": b"\x00\xff",
    "a list": b"[]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "another version": holding(ROW, version=2),
    "no version": b'{"keys": []}',
    "keys is an object": b'{"version": 1, "keys": {}}',
    "a key is a text": holding("x"),
    "a field is missing": holding({k: v for k, v in ROW.items() if k != "rights"}),
    "an unknown right": holding({**ROW, "rights": ["root"]}),
    "no right": holding({**ROW, "rights": []}),
    "rights as a text": holding({**ROW, "rights": "infer"}),
    "rights of objects": holding({**ROW, "rights": [{}]}),
    "a short digest": holding({**ROW, "sha256": "00"}),
    "a digest that is none": holding({**ROW, "sha256": "x" * 64}),
    "a digest that is a number": holding({**ROW, "sha256": 1}),
    "an odd id": holding({**ROW, "id": "../../x"}),
    "an id of another type": holding({**ROW, "id": 1}),
    "a name with a line break": holding({**ROW, "name": "a\nb"}),
    "a time without a zone": holding({**ROW, "created": "2026-01-01T00:00:00"}),
    "one id twice": holding(ROW, {**ROW, "name": "m"}),
    "one name twice": holding(ROW, {**ROW, "id": "1" * 12}),
    "too large": b" " * (5 << 20),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_T22_a_hostile_file_is_refused_and_left_as_it_is(file: KeyFile, path: Path, data: bytes) -> None:
    file.folder.mkdir()
    path.write_bytes(data)
    for act in (file.load, lambda: file.create("n", [Right.INFER]), lambda: Keyring(file)):
        with pytest.raises(PunaError, match="damaged") as refusal:
            act()
        assert str(file.folder) not in str(refusal.value)
    assert path.read_bytes() == data


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text("0a{", max_size=3) | st.sampled_from([*ROW, *ROW.values()]), lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ROW]), inner, max_size=5)
)))  # fmt: skip
def test_T22_whatever_a_file_says_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, row: Any) -> None:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "keys.json").write_bytes(holding(row))
    with suppress(PunaError):
        assert len(KeyFile(folder).load()) == 1


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_T22_what_is_no_file_is_refused_without_waiting(
    file: KeyFile, path: Path, make: Callable[[Path], object]
) -> None:
    file.folder.mkdir()
    make(path)
    with pytest.raises(PunaError):
        file.load()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_T22_a_file_that_others_may_write_is_refused(file: KeyFile, path: Path, mode: int) -> None:
    file.create("laptop", [Right.INFER])
    path.chmod(mode)
    with pytest.raises(PunaError, match="0600"):
        file.load()


def test_what_a_killed_writer_left_is_in_nobodys_way(file: KeyFile, path: Path) -> None:
    file.create("laptop", [Right.INFER])
    path.with_name("keys.json.new").write_bytes(b'{"version"')
    file.create("phone", [Right.INFER])
    assert [key.name for key in file.load()] == ["laptop", "phone"]
    assert list(file.folder.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(PunaError, match=r"could not be written: .*PUNA_KEYS"):
        KeyFile(tmp_path / "taken" / "folder").create("n", [Right.INFER])


def test_writers_at_the_same_time_lose_no_key(file: KeyFile) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom puna.keys import KeyFile, Right\n"
        "for n in range(10): KeyFile(Path(sys.argv[1])).create(f'{sys.argv[2]}{n}', [Right.INFER])"
    )
    others = [subprocess.Popen([sys.executable, "-c", script, str(file.folder), name]) for name in ("a", "b")]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: file.create(f"t{n}", EVERY_RIGHT)[0], range(20)))
        list(pool.map(lambda key: file.revoke(key.id), made[:10]))
    assert [other.wait(60) for other in others] == [0, 0]
    expected = {key.name for key in made[10:]} | {f"{name}{n}" for name in "ab" for n in range(10)}
    assert {key.name for key in file.load()} == expected
