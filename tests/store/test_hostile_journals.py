"""Whatever lies where a download's files belong, nothing outside is touched and nothing is believed (threats T01, T04)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from puna.errors import StoreError
from puna.store import Store, journal
from tests.store.downloads import DATA, DIGEST, SIZE, cut, data_file, fetch_rest, journal_file, leave_half
from tests.store.making import blob_files

HALF = SIZE // 2


def entry(number: object, offset: object, size: object, completed: object) -> bytes:
    texts = (
        f'"{key}":{value}'
        for key, value in zip(("N", "Offset", "Size", "Completed"), (number, offset, size, completed), strict=True)
    )
    return f"{{{','.join(texts)}}}\n".encode()


WHOLE = entry(0, 0, SIZE, 5)
JOURNALS = {
    "nothing": {},
    "an empty file": {"0": b""},
    "zeros": {"0": bytes(256)},
    "no JSON": {"0": b"{"},
    "no object": {"0": b"[0,0,1,1]"},
    "a torn entry": {"0": WHOLE[:-9]},
    "two entries in one": {"0": WHOLE + WHOLE},
    "not UTF-8": {"0": b"\xff" + WHOLE},
    "missing keys": {"0": b'{"N":0,"Size":5}'},
    "texts": {"0": entry(0, '"0"', SIZE, 0)},
    "fractions": {"0": entry(0, 0, f"{SIZE}.0", 0)},
    "null": {"0": entry(0, 0, SIZE, "null")},
    "numbers beyond 64 bits": {"0": entry(0, 0, SIZE, 2**70)},
    "a huge file": {"0": b" " * 2**20 + WHOLE},
    "depth": {"0": b"[" * 200},
    "another number": {"1": WHOLE},
    "a leading zero": {"00": WHOLE},
    "a negative offset": {"0": entry(0, -1, SIZE + 1, 0)},
    "a negative size": {"0": entry(0, 0, -SIZE, 0)},
    "negative progress": {"0": entry(0, 0, SIZE, -1)},
    "more progress than size": {"0": entry(0, 0, SIZE, SIZE + 1)},
    "too short": {"0": entry(0, 0, SIZE - 1, 5)},
    "too long": {"0": entry(0, 0, SIZE + 1, 5)},
    "a gap": {"0": entry(0, 0, HALF - 1, 5), "1": entry(1, HALF, SIZE - HALF, 5)},
    "an overlap": {"0": entry(0, 0, HALF + 1, 5), "1": entry(1, HALF, SIZE - HALF, 5)},
    "a part twice": {"0": WHOLE, "1": entry(1, 0, SIZE, 5)},
    "an empty part": {"0": WHOLE, "1": entry(1, SIZE, 0, 0)},
    "one part unreadable": {"0": entry(0, 0, HALF, 5), "1": b"x"},
    "sizes that wrap": {"0": entry(0, 0, 2**63 - 1, 0), "1": entry(1, 2**63 - 1, 2**63 - 1, 0)},
}  # fmt: skip


@pytest.mark.parametrize("files", JOURNALS.values(), ids=JOURNALS)
def test_T04_an_impossible_journal_is_no_journal(store: Store, files: dict[str, bytes]) -> None:
    data_file(store).write_bytes(bytes(SIZE))
    for number, data in files.items():
        data_file(store).with_name(f"{data_file(store).name}-{number}").write_bytes(data)
    with store.partial(DIGEST, SIZE) as partial:
        assert partial.parts == []
        assert fetch_rest(partial) == SIZE
        partial.publish()
    assert blob_files(store) == {store.blob_path(DIGEST).name}


def test_T08_a_journal_of_too_many_parts_is_not_even_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_half(store)
    monkeypatch.setattr(journal, "MAX_PARTS", 3)
    with store.partial(DIGEST, SIZE) as partial:
        assert partial.parts == []


LENIENT = {
    "blanks": b' {"N": 0,\r\n "Offset": 0, "Size": %d, "Completed": 5 }\n\n' % SIZE,
    "no newline": WHOLE.strip(),
    "another order": b'{"Completed":5,"Size":%d,"Offset":0,"N":0}\n' % SIZE,
    "more keys": b'{"N":0,"Offset":0,"Size":%d,"Completed":5,"Extra":{"a":[1]}}\n' % SIZE,
}


@pytest.mark.parametrize("data", LENIENT.values(), ids=LENIENT)
def test_a_journal_in_another_hand_is_read(store: Store, data: bytes) -> None:
    data_file(store).write_bytes(DATA)
    journal_file(store, 0).write_bytes(data)
    with store.partial(DIGEST, SIZE) as partial:
        assert fetch_rest(partial) == SIZE - 5
        partial.publish()


@given(data=st.binary(max_size=300) | st.text(max_size=80).map(str.encode) | st.builds(entry, *[st.integers()] * 4))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_T04_no_bytes_of_a_journal_break_a_download(store: Store, data: bytes) -> None:
    leave_half(store)
    journal_file(store, 3).write_bytes(data)
    with store.partial(DIGEST, SIZE) as partial:
        assert sum(part.size for part in partial.parts) in (0, SIZE)
        partial.drop()


@pytest.mark.parametrize("change", [0, -1, 1])
def test_T04_a_journal_counts_only_with_a_data_file_of_the_whole_length(store: Store, change: int) -> None:
    leave_half(store)
    os.truncate(data_file(store), SIZE + change)
    with store.partial(DIGEST, SIZE) as partial:
        assert bool(partial.parts) is (change == 0)


def test_T04_another_size_than_before_starts_anew(store: Store) -> None:
    leave_half(store)
    with store.partial(DIGEST, SIZE + 1) as partial:
        assert partial.parts == []


def as_link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def as_hard_link(path: Path, target: Path) -> None:
    path.hardlink_to(target)


def as_fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


def as_dangling_link(path: Path, target: Path) -> None:
    path.symlink_to(target.with_name("nothing"))


TRAPS = pytest.mark.parametrize("trap", [as_link, as_hard_link, as_fifo, as_dangling_link])


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file outside the store that a trap may lead to."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim").write_bytes(WHOLE)
    return folder / "victim"


@TRAPS
def test_T01_a_trap_in_the_data_files_place_is_removed(
    store: Store, victim: Path, trap: Callable[[Path, Path], None]
) -> None:
    trap(data_file(store), victim)
    with store.partial(DIGEST, SIZE) as partial:
        assert fetch_rest(partial) == SIZE
        partial.publish()
    assert store.read_blob(DIGEST) == DATA
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]
    assert victim.read_bytes() == WHOLE


@TRAPS
def test_T01_a_trap_in_a_journals_place_is_removed(
    store: Store, victim: Path, trap: Callable[[Path, Path], None]
) -> None:
    data_file(store).write_bytes(DATA)
    trap(journal_file(store, 0), victim)
    with store.partial(DIGEST, SIZE) as partial:
        assert partial.parts == []
        fetch_rest(partial)
        partial.publish()
    assert blob_files(store) == {store.blob_path(DIGEST).name}
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]
    assert victim.read_bytes() == WHOLE


@TRAPS
def test_T01_a_trap_laid_during_the_download_is_not_stepped_into(
    store: Store, victim: Path, trap: Callable[[Path, Path], None]
) -> None:
    with store.partial(DIGEST, SIZE) as partial:
        partial.plan(cut())
        journal_file(store, 0).unlink()
        trap(journal_file(store, 0), victim)
        with pytest.raises(StoreError):
            partial.note(partial.parts[0])
        partial.drop()
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]
    assert victim.read_bytes() == WHOLE


def test_a_folder_in_the_data_files_place_is_one_clear_error(store: Store) -> None:
    data_file(store).mkdir()
    with pytest.raises(StoreError, match="could not open a download: "), store.partial(DIGEST, SIZE):
        pass
