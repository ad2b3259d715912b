"""Stores may be stitched together with links; a link never makes Puna change things elsewhere (§2.9, threats T01)."""

from __future__ import annotations

from pathlib import Path

import pytest

from puna.errors import Forbidden
from puna.store import Store
from tests.store.making import HOUR, add_model, make_older, manifest_path, name_of


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_a_linked_blob_is_read_and_only_its_link_removed(store: Store, elsewhere: Path) -> None:
    digest = add_model(store, "m").layers[0].digest
    target = store.blob_path(digest).rename(elsewhere / "weights.gguf")
    store.blob_path(digest).symlink_to(target)
    assert store.verify(digest)
    assert store.model(name_of("m")).header is not None
    store.delete(name_of("m"))
    assert target.exists()
    assert not store.blob_path(digest).is_symlink()


def test_a_linked_manifest_is_listed_and_only_its_link_removed(store: Store, elsewhere: Path) -> None:
    add_model(store, "m")
    target = manifest_path(store, "m").rename(elsewhere / "manifest")
    manifest_path(store, "m").symlink_to(target)
    assert [model.name.model for model in store.models()] == ["m"]
    store.delete(name_of("m"))
    assert target.exists()
    assert store.models() == []


def test_dangling_links_are_skipped(store: Store, elsewhere: Path) -> None:
    add_model(store, "good")
    path = manifest_path(store, "gone")
    path.parent.mkdir(parents=True)
    path.symlink_to(elsewhere / "nothing")
    assert [model.name.model for model in store.models()] == ["good"]
    store.start()
    store.delete(name_of("gone"))
    assert [name.model for name in store.names()] == ["good"]


def test_linked_blobs_and_manifests_folders_work(tmp_path: Path, elsewhere: Path) -> None:
    root = tmp_path / "linked"
    root.mkdir()
    for name in ("blobs", "manifests"):
        (elsewhere / name).mkdir()
        (root / name).symlink_to(elsewhere / name)
    store = Store(root)
    store.start()
    add_model(store, "m")
    assert (elsewhere / "manifests" / "registry.ollama.ai" / "library" / "m" / "latest").is_file()
    store.delete(name_of("m"))
    assert list((elsewhere / "blobs").iterdir()) == []


def test_T01_nothing_is_written_or_removed_through_a_linked_folder(store: Store, elsewhere: Path) -> None:
    manifest = add_model(store, "m")
    (elsewhere / "latest").write_bytes(manifest.raw)
    library = store.root / "manifests" / "registry.ollama.ai" / "library"
    (library / "linked").symlink_to(elsewhere)
    before = sorted(elsewhere.iterdir())
    with pytest.raises(Forbidden, match="a link leads out of the model store"):
        store.write_manifest(name_of("linked:new"), manifest)
    with pytest.raises(Forbidden):
        store.delete(name_of("linked"))
    assert sorted(elsewhere.iterdir()) == before


def test_T01_a_start_does_not_tidy_behind_a_link(store: Store, elsewhere: Path) -> None:
    (elsewhere / "empty" / "empty").mkdir(parents=True)
    (store.root / "manifests" / "host").symlink_to(elsewhere)
    (elsewhere / "old").write_text("")
    make_older(elsewhere / "old", 2 * HOUR)
    (store.root / "blobs" / "folder").symlink_to(elsewhere)
    store.start()
    assert (elsewhere / "empty" / "empty").is_dir()
    assert (elsewhere / "old").exists()
