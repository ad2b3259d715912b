"""`verify` of a user re-hashes: damage that left no trace in size and time is found and stays known (threats T04)."""

from __future__ import annotations

import errno
import random
from collections.abc import Generator

import pytest

from puna.errors import StoreError
from puna.names import Digest
from puna.store import Store, blobs
from tests.store.downloads import DATA, DIGEST, SIZE, change_in_silence, result_of
from tests.store.making import add_model, make_older, name_of


def test_rehashing_tells_how_far_it_is(store: Store) -> None:
    store.put_blob(DATA)
    assert result_of(store.rehash(DIGEST)) == ([2**20, 2 * 2**20, 3 * 2**20, SIZE], True)


def test_T04_each_of_500_flipped_bytes_is_found(store: Store) -> None:
    manifest = add_model(store, "m", system="s" * 300)
    dice = random.Random(11)
    found = 0
    for _ in range(500):
        digest = dice.choice(manifest.digests)
        path = store.blob_path(digest)
        at = dice.randrange(path.stat().st_size)
        right = store.read_blob(digest)[at]
        change_in_silence(path, at, right ^ (1 << dice.randrange(8)))
        found += [name for name in manifest.digests if not result_of(store.rehash(name))[1]] == [digest]
        change_in_silence(path, at, right)
    assert found == 500
    assert all(result_of(store.rehash(digest))[1] for digest in manifest.digests)


def test_T04_damage_once_found_is_not_forgotten_and_can_be_healed(store: Store) -> None:
    digest, _ = store.put_blob(b"right" * 100)
    change_in_silence(store.blob_path(digest), 3, 0)
    assert store.verify(digest), "size, inode and time say that nothing changed"
    assert result_of(store.rehash(digest)) == ([500], False)
    for again in (store, Store(store.root)):
        assert not again.verify(digest)
    Store(store.root).put_blob(b"right" * 100)
    assert store.read_blob(digest) == b"right" * 100
    assert Store(store.root).verify(digest)


def test_a_blob_found_right_needs_no_second_hashing(store: Store) -> None:
    digest, _ = store.put_blob(b"right")
    make_older(store.blob_path(digest), 5)
    assert result_of(store.rehash(digest))[1]
    change_in_silence(store.blob_path(digest), 0, 0)
    assert Store(store.root).verify(digest), "known by its new time"


def test_a_missing_blob_is_not_right(store: Store) -> None:
    assert result_of(store.rehash(Digest("0" * 64))) == ([], False)
    digest, _ = store.put_blob(b"right")
    store.blob_path(digest).unlink()
    assert result_of(store.rehash(digest)) == ([], False)


def failing(number: int) -> Generator[int, None, Digest]:
    yield 5
    raise OSError(number, "the disk says no")


def test_a_blob_on_a_broken_piece_of_the_disk_counts_as_damaged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    digest, _ = store.put_blob(b"right")
    monkeypatch.setattr(blobs, "hash_steps", lambda _: failing(errno.EIO))
    assert result_of(store.rehash(digest)) == ([5], False)
    monkeypatch.setattr(blobs, "hash_steps", lambda _: failing(errno.EACCES))
    with pytest.raises(StoreError, match="could not verify a blob: the disk says no"):
        result_of(store.rehash(digest))


def test_giving_up_midway_changes_nothing(store: Store) -> None:
    store.put_blob(DATA)
    change_in_silence(store.blob_path(DIGEST), 0, DATA[0] ^ 1)
    steps = store.rehash(DIGEST)
    assert next(steps) == 2**20
    steps.close()
    assert store.verify(DIGEST)
    assert store.names() == []
    assert name_of("m").model == "m"
