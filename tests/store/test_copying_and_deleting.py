"""Copies share blobs; deleting takes only what no other model needs and nobody uses (contract ollama-store §2.8)."""

from __future__ import annotations

import threading

import pytest

from puna.errors import NotFound
from puna.store import Manifest, MediaType, Store
from tests.store.gguf_files import gguf_bytes
from tests.store.making import add_model, blob_files, layer, manifest_path, name_of

OTHER = gguf_bytes({"general.architecture": "other"})


def test_a_copy_is_the_same_manifest_under_another_name(store: Store) -> None:
    manifest = add_model(store, "m")
    before = blob_files(store)
    store.copy(name_of("m"), name_of("host.example/me/copy:v2"))
    assert manifest_path(store, "host.example/me/copy:v2").read_bytes() == manifest.raw
    assert blob_files(store) == before
    store.copy(name_of("m"), name_of("m"))
    assert store.find(name_of("m")) == manifest


def test_copying_what_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="model 'nope:latest' not found"):
        store.copy(name_of("nope"), name_of("x"))


def test_deleting_the_last_model_empties_the_store(store: Store) -> None:
    add_model(store, "host.example/me/m:v2", system="s", template="t")
    store.delete(name_of("host.example/me/m:v2"))
    assert blob_files(store) == set()
    assert list((store.root / "manifests").iterdir()) == []


def test_blobs_that_another_model_names_stay(store: Store) -> None:
    a = add_model(store, "a", system="only in a")
    b = add_model(store, "b", system="only in b")
    store.delete(name_of("a"))
    assert not store.has_blob(a.layers[1].digest)
    assert all(store.has_blob(digest) for digest in b.digests)
    assert store.model(name_of("b")).system == "only in b"


def test_deleting_ignores_missing_blobs(store: Store) -> None:
    manifest = add_model(store, "m")
    store.blob_path(manifest.layers[0].digest).unlink()
    store.delete(name_of("m"))
    assert store.names() == []


def test_a_damaged_manifest_can_be_deleted(store: Store) -> None:
    add_model(store, "good")
    path = manifest_path(store, "bad")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{")
    before = blob_files(store)
    store.delete(name_of("bad"))
    assert [name.model for name in store.names()] == ["good"]
    assert blob_files(store) == before


def test_blobs_in_use_go_when_they_are_released(store: Store) -> None:
    manifest = add_model(store, "m")
    weights, config = manifest.digests
    with store.hold([weights]):
        with store.hold([weights]):
            store.delete(name_of("m"))
            assert store.has_blob(weights)
            assert not store.has_blob(config)
            assert store.prune([weights]) == []
        assert store.has_blob(weights)
    assert not store.has_blob(weights)


def test_a_blob_named_again_while_it_was_held_stays(store: Store) -> None:
    manifest = add_model(store, "m")
    with store.hold(manifest.digests):
        store.delete(name_of("m"))
        store.write_manifest(name_of("again"), manifest)
    assert all(store.has_blob(digest) for digest in manifest.digests)


def test_pruning_takes_only_unnamed_candidates(store: Store) -> None:
    old = add_model(store, "m", weights=OTHER)
    new = add_model(store, "m")
    assert store.prune(old.digests) == [old.layers[0].digest]
    assert all(store.has_blob(digest) for digest in new.digests)
    assert store.prune([]) == []


def test_noprune_keeps_unnamed_blobs_but_delete_still_deletes(store: Store) -> None:
    keeping = Store(store.root, prune=False)
    digest, _ = keeping.put_blob(b"unnamed")
    assert keeping.prune([digest]) == []
    keeping.start()
    assert keeping.has_blob(digest)
    manifest = add_model(keeping, "m")
    keeping.delete(name_of("m"))
    assert not keeping.has_blob(manifest.layers[0].digest)


def test_copies_and_deletes_at_once_lose_no_blob_in_use(store: Store) -> None:
    manifest = add_model(store, "base")
    failures: list[BaseException] = []

    def churn(name: str) -> None:
        try:
            for _ in range(20):
                store.copy(name_of("base"), name_of(name))
                store.model(name_of(name))
                store.delete(name_of(name))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=churn, args=(f"copy{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [name.model for name in store.names()] == ["base"]
    assert all(store.verify(digest) for digest in manifest.digests)


def test_replacing_a_layer_keeps_what_the_new_manifest_shares(store: Store) -> None:
    old = add_model(store, "m", system="old")
    system = layer(store, MediaType.SYSTEM, b"new")
    store.write_manifest(name_of("m"), Manifest.build(old.config, [old.layers[0], system]))
    assert store.prune(old.digests) == [old.layers[1].digest]
    assert store.model(name_of("m")).system == "new"
