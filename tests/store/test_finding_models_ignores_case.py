"""A model is found in any spelling and shown in its own (contract ollama-store §1.3)."""

from __future__ import annotations

import pytest

from puna.errors import NotFound
from puna.store import Store
from tests.store.making import add_model, manifest_path, name_of


def resolved(store: Store, name: str) -> str:
    return store.resolve(name_of(name)).shortest


def test_any_case_finds_the_stored_spelling(store: Store) -> None:
    add_model(store, "HF.co/Someone/Llama-GGUF:Q4_K_M")
    for name in ("hf.co/someone/llama-gguf:q4_k_m", "HF.CO/SOMEONE/LLAMA-GGUF:Q4_K_M"):
        assert store.model(name_of(name)).name.full == "HF.co/Someone/Llama-GGUF:Q4_K_M"
        assert store.find(name_of(name)).layers
    assert resolved(store, "LLAMA-gguf:q4_k_m") == "Llama-GGUF:Q4_K_M"


def test_parts_are_matched_independently_over_all_models(store: Store) -> None:
    add_model(store, "Foo:v1")
    add_model(store, "bar:Q8")
    assert resolved(store, "foo:q8") == "Foo:Q8"
    assert resolved(store, "FOO:new") == "Foo:new"
    assert resolved(store, "Unknown:Tag") == "Unknown:Tag"


def test_the_exact_name_wins_then_the_whole_name_then_the_parts(store: Store) -> None:
    add_model(store, "model:one")
    add_model(store, "Model:two")
    assert resolved(store, "model:one") == "model:one"
    assert resolved(store, "Model:two") == "Model:two"
    assert resolved(store, "MODEL:ONE") == "model:one"
    assert resolved(store, "MODEL:TWO") == "Model:two"
    assert resolved(store, "model:three") == "model:three"


def test_copy_and_delete_take_any_spelling(store: Store) -> None:
    add_model(store, "Source")
    add_model(store, "Target")
    store.copy(name_of("SOURCE"), name_of("TARGET"))
    assert {name.model for name in store.names()} == {"Source", "Target"}
    assert manifest_path(store, "Target").read_bytes() == manifest_path(store, "Source").read_bytes()
    store.delete(name_of("source"))
    assert [name.model for name in store.names()] == ["Target"]
    with pytest.raises(NotFound):
        store.delete(name_of("source"))
