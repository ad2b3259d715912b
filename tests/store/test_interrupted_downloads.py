"""A download goes on where it stopped, and is a blob only once its bytes were hashed (ollama-store §3.3, threats T04)."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from puna.errors import Cancelled, DigestMismatch, StoreError
from puna.names import Digest
from puna.store import Part, Store
from tests.store.downloads import (
    DATA,
    DIGEST,
    SIZE,
    change_in_silence,
    child,
    cut,
    data_file,
    fetch,
    fetch_rest,
    journal_file,
    leave_half,
)
from tests.store.making import blob_files, make_older

BLOB = f"sha256-{DIGEST.hex}"


def test_parts_become_a_blob(store: Store) -> None:
    with store.partial(DIGEST, SIZE) as partial:
        assert partial.parts == []
        partial.plan(cut())
        assert data_file(store).stat().st_size == SIZE
        assert data_file(store).stat().st_mode & 0o777 == 0o644
        for part in reversed(partial.parts):
            fetch(partial, part)
            assert part.done
            partial.note(part)
        partial.publish()
    assert blob_files(store) == {BLOB}
    assert store.read_blob(DIGEST) == DATA
    assert store.blob_path(DIGEST).stat().st_mode & 0o777 == 0o644
    assert DIGEST.hex in (store.root / ".puna-verified").read_text()


def test_a_download_that_is_left_goes_on_where_it_stopped(store: Store) -> None:
    leave_half(store)
    assert store.partial_size(DIGEST) >= SIZE // 2
    with Store(store.root).partial(DIGEST, SIZE) as partial:
        assert [part.completed for part in partial.parts] == [part.size // 2 for part in cut()]
        assert fetch_rest(partial) == SIZE - sum(part.size // 2 for part in cut())
        partial.publish()
    assert store.read_blob(DIGEST) == DATA
    assert store.partial_size(DIGEST) == 0


def test_an_empty_blob_needs_no_parts(store: Store) -> None:
    empty = Digest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    with store.partial(empty, 0) as partial:
        partial.plan([])
        partial.publish()
    assert store.read_blob(empty) == b""


def test_a_download_that_never_began_leaves_nothing(store: Store) -> None:
    with store.partial(DIGEST, SIZE):
        assert blob_files(store) == {data_file(store).name}
    assert blob_files(store) == set()


def test_a_download_that_is_dropped_leaves_nothing(store: Store) -> None:
    leave_half(store)
    with store.partial(DIGEST, SIZE) as partial:
        partial.drop()
        for late in (partial.drop, lambda: partial.note(cut()[0]), lambda: partial.write(cut()[0], b"x")):
            with pytest.raises(ValueError, match="the download is over"):
                late()
    assert blob_files(store) == set()


def test_the_journal_is_the_references(store: Store) -> None:
    leave_half(store)
    part = cut()[2]
    raw = journal_file(store, 2).read_bytes()
    written = {"N": 2, "Offset": part.offset, "Size": part.size, "Completed": part.size // 2}
    assert raw.startswith(json.dumps(written, separators=(",", ":")).encode())
    assert raw.endswith(b"\n")
    assert json.loads(raw) == written
    for number, part in enumerate(cut()):  # as Ollama writes it
        journal_file(store, number).write_text(
            f'{{"N":{number},"Offset":{part.offset},"Size":{part.size},"Completed":{number}}}\n'
        )
    with store.partial(DIGEST, SIZE) as partial:
        assert [part.completed for part in partial.parts] == [0, 1, 2, 3]


def test_a_new_plan_forgets_the_old_one(store: Store) -> None:
    leave_half(store)
    with store.partial(DIGEST, SIZE) as partial:
        partial.plan(cut(count=2))
        assert data_file(store).read_bytes() == bytes(SIZE)
        assert blob_files(store) == {f"{BLOB}-partial{end}" for end in ("", "-0", "-1")}
        fetch_rest(partial)
        partial.publish()
    assert store.has_blob(DIGEST)


PLANS = {
    "a gap": [Part(0, 0, 10), Part(1, 11, SIZE - 11)],
    "an overlap": [Part(0, 0, 11), Part(1, 10, SIZE - 10)],
    "too short": [Part(0, 0, SIZE - 1)],
    "too long": [Part(0, 0, SIZE + 1)],
    "an empty part": [Part(0, 0, 0), Part(1, 0, SIZE)],
    "a number twice": [Part(0, 0, 10), Part(0, 10, SIZE - 10)],
    "bytes that are not there": [Part(0, 0, SIZE, 1)],
    "none": [],
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_parts_that_do_not_tile_the_blob_are_a_bug(store: Store, plan: list[Part]) -> None:
    with store.partial(DIGEST, SIZE) as partial, pytest.raises(ValueError, match="do not tile"):
        partial.plan(plan)


def test_a_part_takes_no_more_bytes_than_it_has(store: Store) -> None:
    with store.partial(DIGEST, SIZE) as partial:
        partial.plan(cut())
        part = partial.parts[0]
        with pytest.raises(ValueError, match="more bytes than it has"):
            partial.write(part, bytes(part.size + 1))
        assert part.completed == 0


def test_T04_missing_parts_are_not_published(store: Store) -> None:
    leave_half(store)
    with store.partial(DIGEST, SIZE) as partial, pytest.raises(ValueError, match="missing"):
        partial.publish()
    assert data_file(store).exists()
    assert not store.has_blob(DIGEST)


def test_T04_the_name_comes_after_the_hash_and_the_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        events.append("folder" if Path(f"/dev/fd/{descriptor}").is_dir() else "data")

    def renamed(*arguments: Any) -> None:
        replace(*arguments)
        events.append("name")

    def hashing() -> bool:
        assert not store.has_blob(DIGEST)
        events.append("hash")
        return False

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    with store.partial(DIGEST, SIZE) as partial:
        fetch_rest(partial)
        assert events == []
        partial.publish(hashing)
    named = events.index("name")
    assert events[:named].count("hash") == 4
    assert "data" in events[:named]
    assert events[named + 1 :] == ["folder"]


def test_T04_wrong_bytes_never_get_the_name_and_a_fresh_start_works(store: Store) -> None:
    """The model of a power cut: the journal says that all is there, and the disk kept zeros instead."""
    with store.partial(DIGEST, SIZE) as partial:
        fetch_rest(partial)
    with data_file(store).open("r+b") as file:
        file.seek(SIZE // 2)
        file.write(bytes(4096))
    with store.partial(DIGEST, SIZE) as partial:
        assert fetch_rest(partial) == 0
        with pytest.raises(DigestMismatch, match="file must be downloaded again: want sha256:"):
            partial.publish()
    assert blob_files(store) == set()
    with store.partial(DIGEST, SIZE) as partial:
        assert fetch_rest(partial) == SIZE
        partial.publish()
    assert store.read_blob(DIGEST) == DATA


def test_T04_what_a_power_cut_left_as_a_hole_is_fetched_again_and_no_more(store: Store) -> None:
    with store.partial(DIGEST, SIZE) as partial:
        fetch_rest(partial)
    os.truncate(data_file(store), 2**20)
    os.truncate(data_file(store), SIZE)
    with store.partial(DIGEST, SIZE) as partial:
        assert fetch_rest(partial) == SIZE - 2**20
        partial.publish()
    assert store.read_blob(DIGEST) == DATA


def test_T04_a_damaged_blob_of_that_name_is_healed(store: Store) -> None:
    store.put_blob(DATA)
    change_in_silence(store.blob_path(DIGEST), 7, DATA[7] ^ 1)
    assert next(iter(store.rehash(DIGEST))) == 2**20
    for _ in store.rehash(DIGEST):
        pass
    with store.partial(DIGEST, SIZE) as partial:
        fetch_rest(partial)
        partial.publish()
    assert store.read_blob(DIGEST) == DATA
    assert blob_files(store) == {BLOB}


def test_a_verified_blob_of_that_name_is_kept(store: Store) -> None:
    store.put_blob(DATA)
    inode = store.blob_path(DIGEST).stat().st_ino
    with store.partial(DIGEST, SIZE) as partial:
        fetch_rest(partial)
        partial.publish()
    assert store.blob_path(DIGEST).stat().st_ino == inode
    assert blob_files(store) == {BLOB}


def test_a_caller_that_leaves_while_its_blob_is_hashed_keeps_the_files(store: Store) -> None:
    with store.partial(DIGEST, SIZE) as partial:
        fetch_rest(partial)
        with pytest.raises(Cancelled):
            partial.publish(lambda: True)
    assert not store.has_blob(DIGEST)
    with store.partial(DIGEST, SIZE) as partial:
        assert fetch_rest(partial) == 0
        partial.publish()
    assert store.has_blob(DIGEST)


def test_leaving_waits_for_a_call_in_another_thread(store: Store) -> None:
    hashing = threading.Event()

    def slow() -> bool:
        hashing.set()
        time.sleep(0.05)
        return False

    with store.partial(DIGEST, SIZE) as partial:
        fetch_rest(partial)
        thread = threading.Thread(target=partial.publish, args=(slow,))
        thread.start()
        assert hashing.wait(10)
    assert store.has_blob(DIGEST)
    thread.join()
    assert blob_files(store) == {BLOB}


# Two at once

HOLDING = """
import sys
from pathlib import Path
from puna.store import Store
from tests.store.downloads import DIGEST, SIZE, cut, fetch
with Store(Path(sys.argv[1])).partial(DIGEST, SIZE) as partial:
    partial.plan(cut())
    fetch(partial, partial.parts[0], 1000)
    partial.note(partial.parts[0])
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_and_goes_on_when_the_first_is_gone(store: Store) -> None:
    with child(HOLDING, store) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(StoreError) as caught, store.partial(DIGEST, SIZE):
            pass
        assert str(caught.value) == f"blob {DIGEST.short} is being downloaded by another process"
        process.send_signal(signal.SIGKILL)
    with store.partial(DIGEST, SIZE) as partial:
        assert fetch_rest(partial) == SIZE - 1000


def test_a_file_that_became_the_blob_before_it_was_locked_is_not_written_to(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_file(store).write_bytes(DATA)
    flock = fcntl.flock

    def late(*arguments: Any) -> None:
        if data_file(store).exists() and not store.has_blob(DIGEST):
            data_file(store).rename(store.blob_path(DIGEST))
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", late)
    with store.partial(DIGEST, SIZE) as partial:
        partial.plan(cut())
        assert store.read_blob(DIGEST) == DATA
        assert data_file(store).read_bytes() == bytes(SIZE)


def test_a_file_that_another_program_took_away_is_one_clear_error(store: Store) -> None:
    with store.partial(DIGEST, SIZE) as partial:
        fetch_rest(partial)
        data_file(store).rename(store.blob_path(DIGEST))  # what Ollama does at the end of its own download
        with pytest.raises(StoreError, match="another program took the downloaded file away, pull again"):
            partial.publish()
    assert store.verify(DIGEST)


# Killed

DOWNLOADING = """
import sys, threading
from pathlib import Path
from puna.store import Store
from tests.store.downloads import DIGEST, SIZE, cut, fetch
with Store(Path(sys.argv[1])).partial(DIGEST, SIZE) as partial:
    if not partial.parts:
        partial.plan(cut())
    print("begun", flush=True)
    def work(part):
        while not part.done:
            fetch(partial, part, min(500, part.size - part.completed))
            partial.note(part)
    threads = [threading.Thread(target=work, args=(part,)) for part in partial.parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("done", flush=True)
    sys.stdin.read()
"""


def test_T04_killed_at_any_moment_a_download_claims_only_what_is_there(store: Store) -> None:
    dice = random.Random(5)
    claimed = 0
    for _ in range(6):
        with child(DOWNLOADING, store) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            time.sleep(dice.uniform(0, 0.04))
            process.send_signal(signal.SIGKILL)
        with store.partial(DIGEST, SIZE) as partial:
            assert len(partial.parts) == 4, "no kill loses the whole journal"
            there = data_file(store).read_bytes()
            for part in partial.parts:
                assert there[part.offset : part.position] == DATA[part.offset : part.position]
            before, claimed = claimed, sum(part.completed for part in partial.parts)
            assert claimed >= before
    with store.partial(DIGEST, SIZE) as partial:
        assert 0 < claimed < SIZE
        assert fetch_rest(partial) == SIZE - claimed
        partial.publish()
    assert store.read_blob(DIGEST) == DATA


# The disk fails

FULL = """
import resource, sys
from pathlib import Path
from puna.errors import StoreError
from puna.store import Store
from tests.store.downloads import DATA, DIGEST, SIZE, cut, fetch
with Store(Path(sys.argv[1])).partial(DIGEST, SIZE) as partial:
    partial.plan(cut())
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    for part in partial.parts[1:2] + partial.parts[:1]:
        try:
            partial.write(part, DATA[part.offset : part.stop])
        except StoreError as error:
            print(error)
        partial.note(part)
"""


def test_a_disk_that_takes_no_more_is_one_clear_error_and_keeps_what_it_took(store: Store) -> None:
    """The size limit of a process cuts a write short and then refuses, as a full disk does."""
    with child(FULL, store) as process:
        output, _ = process.communicate()
    assert process.returncode == 0
    assert output.decode().splitlines() == ["could not write a download: File too large"]
    with store.partial(DIGEST, SIZE) as partial:
        first, second, *others = partial.parts
        assert first.completed == first.size < 1_000_000
        assert second.completed == 1_000_000 - second.offset
        assert not any(part.completed for part in others)
        fetch_rest(partial)
        partial.publish()
    assert store.read_blob(DIGEST) == DATA


def test_a_journal_that_cannot_be_written_at_the_end_is_logged(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    leave_half(store)

    def failing(*_: Any) -> int:
        raise OSError(5, "Input/output error")

    with caplog.at_level(logging.WARNING), store.partial(DIGEST, SIZE) as partial, monkeypatch.context() as patch:
        fetch(partial, partial.parts[0], 5)
        patch.setattr(os, "pwrite", failing)
        with pytest.raises(StoreError, match=r"^could not note a download's progress: Input/output error$"):
            partial.note(partial.parts[0])
        with pytest.raises(StoreError, match=r"^could not write a download: Input/output error$"):
            partial.write(partial.parts[0], b"x")
        partial.__exit__(None, None, None)
    assert "the journal of blob" in caplog.text
    with store.partial(DIGEST, SIZE) as partial:
        assert [part.completed for part in partial.parts] == [part.size // 2 for part in cut()]


@pytest.mark.parametrize(
    ("free", "size", "fits"),
    [
        (100e9, 98e9, True),
        (100e9, 98e9 + 4096, False),
        (1e9, 0, True),
        (1e9, 1, False),
        (0, 0, True),
    ],
)
def test_a_reserve_of_the_disk_stays_free(
    store: Store, monkeypatch: pytest.MonkeyPatch, free: float, size: float, fits: bool
) -> None:
    disk = os.statvfs_result((4096, 1, int(500e9), 0, int(free), 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    if fits:
        store.require_space(int(size))
        return
    with pytest.raises(StoreError, match=r"^not enough disk space: .* are needed and .* are free") as caught:
        store.require_space(int(size))
    assert str(store.root) not in str(caught.value)


def test_on_a_small_disk_the_reserve_is_a_twentieth(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.statvfs_result((4096, 4096, 1000, 0, 500, 500, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    store.require_space(450 * 4096)
    with pytest.raises(StoreError):
        store.require_space(450 * 4096 + 1)


def test_T03_a_missing_folder_is_an_error_without_a_path(store: Store) -> None:
    (store.root / "blobs").rmdir()
    with pytest.raises(StoreError) as caught, store.partial(DIGEST, SIZE):
        pass
    assert str(caught.value) == "could not open a download: No such file or directory"


def test_an_interrupted_download_survives_a_start_within_a_week(store: Store) -> None:
    leave_half(store)
    for path in (store.root / "blobs").iterdir():
        make_older(path, 6 * 24 * 3600)
    store.start()
    with store.partial(DIGEST, SIZE) as partial:
        assert 0 < fetch_rest(partial) < SIZE
