"""Blobs: a file has a digest's name only after its bytes were hashed (threats T04)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from puna.errors import BadRequest, NotFound, StoreError
from puna.names import Digest
from puna.store import Store
from tests.store.making import HOUR, blob_files, make_older

DATA = b"weights" * 1000


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())


def test_bytes_are_stored_once_under_their_digest(store: Store) -> None:
    assert store.put_blob(DATA) == (digest_of(DATA), True)
    assert store.put_blob(DATA) == (digest_of(DATA), False)
    path = store.blob_path(digest_of(DATA))
    assert path.name == f"sha256-{digest_of(DATA).hex}"
    assert path.stat().st_mode & 0o777 == 0o644
    assert store.read_blob(digest_of(DATA)) == DATA
    assert store.blob_size(digest_of(DATA)) == len(DATA)
    assert blob_files(store) == {path.name}


def test_a_blob_is_streamed_in(store: Store) -> None:
    with store.writer() as writer:
        for at in range(0, len(DATA), 1000):
            writer.write(DATA[at : at + 1000])
        assert not store.has_blob(digest_of(DATA))
        assert writer.commit(digest_of(DATA)) == digest_of(DATA)
    assert writer.created
    assert writer.size == len(DATA)
    assert store.read_blob(digest_of(DATA)) == DATA


def test_T04_wrong_bytes_are_not_stored_at_all(store: Store) -> None:
    wanted, sent = digest_of(b"wanted"), digest_of(b"sent")
    with store.writer() as writer:
        writer.write(b"sent")
        with pytest.raises(BadRequest) as caught:
            writer.commit(wanted)
    assert str(caught.value) == f'digest mismatch, expected "{wanted}", got "{sent}"'
    assert blob_files(store) == set()


def test_a_writer_that_is_given_up_leaves_nothing(store: Store) -> None:
    with store.writer() as writer:
        writer.write(DATA)
    assert blob_files(store) == set()


def test_reading_asks_for_the_blob_and_its_limit(store: Store) -> None:
    with pytest.raises(NotFound, match=f"blob sha256:{'0' * 64} not found"):
        store.read_blob(Digest("0" * 64))
    with pytest.raises(NotFound):
        store.blob_size(Digest("0" * 64))
    with pytest.raises(NotFound):
        store.open_blob(Digest("0" * 64))
    digest, _ = store.put_blob(b"12345")
    with store.open_blob(digest) as file:
        assert file.read() == b"12345"
    with pytest.raises(StoreError, match="5 bytes, the limit"):
        store.read_blob(digest, limit=4)
    assert store.read_blob(digest, limit=5) == b"12345"


@pytest.mark.parametrize("at", [0, 3500, len(DATA) - 1])
def test_T04_one_flipped_byte_is_found(store: Store, at: int) -> None:
    digest, _ = store.put_blob(DATA)
    make_older(store.blob_path(digest), 5)
    assert store.verify(digest)
    damaged = bytearray(DATA)
    damaged[at] ^= 1
    store.blob_path(digest).write_bytes(damaged)
    assert not store.verify(digest)
    assert not Store(store.root).verify(digest)


def test_T04_a_damaged_blob_is_healed_by_storing_it_again(store: Store) -> None:
    digest, _ = store.put_blob(DATA)
    make_older(store.blob_path(digest), 5)
    store.blob_path(digest).write_bytes(bytes(len(DATA)))
    assert store.put_blob(DATA) == (digest, False)
    assert store.read_blob(digest) == DATA
    assert store.verify(digest)


def test_T04_a_blob_is_hashed_again_only_when_its_file_changed(store: Store) -> None:
    digest, _ = store.put_blob(DATA)
    path = store.blob_path(digest)
    status = path.stat()
    with path.open("r+b") as file:  # same inode, size and time: what the record cannot see shows that it is used
        file.write(b"X")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.verify(digest)
    assert Store(store.root).verify(digest)
    make_older(path, 5)
    assert not store.verify(digest)


def test_touching_keeps_a_blob_verified(store: Store) -> None:
    digest, _ = store.put_blob(DATA)
    make_older(store.blob_path(digest), 2 * HOUR)
    assert store.verify(digest)
    before = store.blob_path(digest).stat().st_mtime
    store.touch(digest)
    assert store.blob_path(digest).stat().st_mtime > before
    record = (store.root / ".puna-verified").read_text()
    assert str(store.blob_path(digest).stat().st_mtime_ns) in record


def test_a_damaged_record_costs_a_hashing_and_no_more(store: Store) -> None:
    digest, _ = store.put_blob(DATA)
    (store.root / ".puna-verified").write_bytes(b"\xff\0 torn\n" + digest.hex.encode() + b" 1 2\nx 1 2 3\n")
    again = Store(store.root)
    assert again.verify(digest)
    again.start()
    assert (store.root / ".puna-verified").read_text().startswith(digest.hex)


def test_a_missing_blob_is_not_verified_and_cannot_be_touched(store: Store) -> None:
    assert not store.verify(Digest("0" * 64))
    with pytest.raises(NotFound):
        store.touch(Digest("0" * 64))


def test_a_file_is_adopted_without_a_copy(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "model.gguf"
    source.write_bytes(DATA)
    source.chmod(0o644)
    assert store.adopt(source) == (digest_of(DATA), True)
    assert store.adopt(source) == (digest_of(DATA), False)
    assert source.samefile(store.blob_path(digest_of(DATA)))
    assert blob_files(store) == {f"sha256-{digest_of(DATA).hex}"}


def test_a_file_with_another_mode_is_copied(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "model.gguf"
    source.write_bytes(DATA)
    source.chmod(0o600)
    store.adopt(source)
    assert source.stat().st_mode & 0o777 == 0o600
    assert not source.samefile(store.blob_path(digest_of(DATA)))


def test_T03_only_regular_files_are_adopted(store: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, tmp_path / "missing"):
        with pytest.raises(StoreError) as caught:
            store.adopt(path)
        assert str(tmp_path) not in str(caught.value)


def test_T03_a_disk_error_names_the_act_and_no_path(store: Store) -> None:
    (store.root / "blobs").rmdir()
    with pytest.raises(StoreError) as caught:
        store.put_blob(DATA)
    assert str(caught.value) == "could not write a blob: No such file or directory"
