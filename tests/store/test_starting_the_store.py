"""A start tidies the store and takes nothing that is finished, young or of unknown use (contract ollama-store §2.8)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import StoreError
from puna.store import Store
from puna.store.pruning import GRACE_S, PARTIAL_GRACE_S, BlobFile, stale_files
from tests.store.making import HOUR, add_model, blob_files, make_older, manifest_path, name_of

OLD = 2 * HOUR
WEEK = 7 * 24 * HOUR
HEX = "ab" * 32


def leave(store: Store, name: str, age: float) -> None:
    path = store.root / "blobs" / name
    path.write_bytes(b"x")
    make_older(path, age)


def test_the_folders_are_made(tmp_path: Path) -> None:
    Store(tmp_path / "a" / "models").start()
    assert {path.name for path in (tmp_path / "a" / "models").iterdir()} == {"blobs", "manifests"}
    assert (tmp_path / "a" / "models" / "blobs").stat().st_mode & 0o777 == 0o755


def test_a_root_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="ensure path elements are traversable"):
        Store(tmp_path / "file" / "models").start()


def test_blobs_of_old_stores_get_the_dash(store: Store) -> None:
    manifest = add_model(store, "m")
    path = store.blob_path(manifest.layers[0].digest)
    path.rename(path.with_name(path.name.replace("-", ":", 1)))
    (store.root / "blobs" / "sha256:short").write_text("")
    store.start()
    assert store.model(name_of("m")).header is not None
    assert "sha256:short" in blob_files(store)


def test_unreferenced_blobs_and_temporaries_go_after_an_hour(store: Store) -> None:
    manifest = add_model(store, "m")
    for digest in manifest.digests:
        make_older(store.blob_path(digest), OLD)
    for name in (f"sha256-{HEX}", "sha256-123456789", f"sha256-{HEX}.tmp", "what-is-this"):
        leave(store, name, OLD)
    leave(store, f"sha256-{'cd' * 32}", HOUR / 2)
    leave(store, "sha256-987654321", HOUR / 2)
    store.start()
    needed = {store.blob_path(digest).name for digest in manifest.digests}
    assert blob_files(store) == needed | {f"sha256-{'cd' * 32}", "sha256-987654321"}


def test_an_interrupted_download_is_kept_for_a_week_and_dropped_as_a_whole(store: Store) -> None:
    young, old = "ab" * 32, "cd" * 32
    leave(store, f"sha256-{young}-partial", 2 * WEEK)
    leave(store, f"sha256-{young}-partial-0", WEEK + HOUR)
    leave(store, f"sha256-{young}-partial-12", WEEK - HOUR)
    leave(store, f"sha256-{old}-partial", WEEK + HOUR)
    leave(store, f"sha256-{old}-partial-0", WEEK + HOUR)
    store.start()
    assert blob_files(store) == {f"sha256-{young}-partial{end}" for end in ("", "-0", "-12")}


def test_what_only_looks_like_a_download_goes_after_an_hour(store: Store) -> None:
    for name in (f"sha256-{HEX[:-1]}-partial", f"sha256-{HEX}-partial-", f"sha256-{HEX}-partial-x", f"{HEX}-partial"):
        leave(store, name, OLD)
    store.start()
    assert blob_files(store) == set()


def test_nothing_is_pruned_while_a_manifest_is_unreadable(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    path = manifest_path(store, "bad")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{")
    leave(store, f"sha256-{HEX}", OLD)
    store.start()
    assert blob_files(store) == {f"sha256-{HEX}"}
    assert "the store is not pruned" in caplog.text


def test_blobs_in_use_survive_a_second_start(store: Store) -> None:
    digest, _ = store.put_blob(b"in use")
    make_older(store.blob_path(digest), OLD)
    with store.hold([digest]):
        store.start()
        assert store.has_blob(digest)
    store.start()
    assert not store.has_blob(digest)


def test_empty_manifest_folders_and_half_written_manifests_go(store: Store) -> None:
    add_model(store, "m")
    manifests = store.root / "manifests"
    (manifests / "host" / "ns" / "empty").mkdir(parents=True)
    for folder in (manifests, store.root):
        (folder / ".puna-new-abc").write_text("half")
        make_older(folder / ".puna-new-abc", OLD)
    (manifests / ".puna-new-young").write_text("half")
    store.start()
    assert {path.name for path in manifests.iterdir()} == {"registry.ollama.ai", ".puna-new-young"}
    assert not (store.root / ".puna-new-abc").exists()
    assert (store.root / ".puna-verified").exists()


def test_a_scratch_folder_goes_with_its_block_or_when_it_is_old(store: Store) -> None:
    with store.scratch() as folder:
        (folder / "model.gguf").write_bytes(b"x")
        assert folder.stat().st_mode & 0o777 == 0o700
        store.start()
        make_older(folder, OLD)
        store.start()
        assert folder.exists()  # its file is young: somebody writes it
        make_older(folder / "model.gguf", OLD)
        make_older(folder, OLD)
        store.start()
        assert not folder.exists()
        folder.mkdir()
    assert not folder.exists()


def test_writing_a_manifest_makes_its_old_blobs_young(store: Store) -> None:
    manifest = add_model(store, "m")
    for digest in manifest.digests:
        make_older(store.blob_path(digest), OLD)
    store.write_manifest(name_of("copy"), manifest)
    ages = [store.blob_path(digest).stat().st_mtime for digest in manifest.digests]
    assert min(ages) > manifest_path(store, "copy").stat().st_mtime - HOUR


NAMES = st.sampled_from(["a", "b", f"sha256-{HEX}", f"sha256-{HEX}-partial", f"sha256-{HEX}-partial-1"])
TIMES = st.floats(0, 3 * GRACE_S) | st.floats(0, 3 * PARTIAL_GRACE_S)
FILES = st.dictionaries(NAMES, TIMES).map(lambda ages: [BlobFile(*age) for age in ages.items()])


@given(files=FILES, needed=st.sets(NAMES), now=TIMES)
def test_young_and_needed_files_are_never_stale(files: list[BlobFile], needed: set[str], now: float) -> None:
    stale = set(stale_files(files, needed, now))
    assert not stale & needed
    assert all(now - file.modified_at > GRACE_S for file in files if file.name in stale)
    download = [file for file in files if "partial" in file.name]
    if any(now - file.modified_at <= PARTIAL_GRACE_S for file in download):
        assert not stale & {file.name for file in download}
