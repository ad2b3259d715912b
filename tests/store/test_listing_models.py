"""The list shows every finished model, newest first, and no damaged one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from puna.errors import NotFound, StoreError
from puna.names import Digest
from puna.store import Config, Layer, Manifest, MediaType, Store, read_gguf_header
from tests.store.gguf_files import LLAMA, gguf_bytes
from tests.store.making import add_model, layer, make_older, manifest_path, name_of


def listed(store: Store) -> list[str]:
    return [model.name.shortest for model in store.models()]


def test_an_empty_or_missing_store_lists_nothing(store: Store, tmp_path: Path) -> None:
    assert store.models() == []
    assert Store(tmp_path / "nowhere").models() == []


def test_newest_models_come_first(store: Store) -> None:
    for age, name in ((300, "old"), (100, "young"), (200, "host.example/ns/middle:v1")):
        add_model(store, name)
        make_older(manifest_path(store, name), age)
    assert listed(store) == ["young:latest", "host.example/ns/middle:v1", "old:latest"]


def test_a_model_tells_what_its_layers_say(store: Store) -> None:
    projector = layer(store, MediaType.PROJECTOR, gguf_bytes({"general.architecture": "clip", "clip.has_x": True}))
    extra = (
        projector,
        layer(store, MediaType.ADAPTER, b"lora"),
        layer(store, MediaType.DRAFT, b"draft"),
        layer(store, MediaType.LICENSE, b"first"),
        layer(store, MediaType.LICENSE, b"second \xff"),
        layer(store, MediaType.MESSAGES, b'[{"role":"user","content":"hi"}]'),
        layer(store, MediaType.EMBED, b"ignored"),
    )
    manifest = add_model(store, "m", template="{{ .Prompt }}", system="Be brief.", params={"top_k": 1}, extra=extra)
    model = store.model(name_of("m"))
    assert (model.template, model.system, model.params) == ("{{ .Prompt }}", "Be brief.", {"top_k": 1})
    assert model.licenses == ("first", "second \ufffd")
    assert model.messages == ({"role": "user", "content": "hi"},)
    assert model.weights == store.blob_path(manifest.layers[0].digest)
    assert model.weights_digest == manifest.layers[0].digest
    assert model.projectors == ((projector.digest, store.blob_path(projector.digest)),)
    assert model.projector_header is not None
    assert model.projector_header.get("has_x") is True
    assert [digest for digest, _ in model.adapters] == [extra[1].digest]
    assert model.draft is not None
    assert model.draft[0] == extra[2].digest
    assert model.jinja_template == LLAMA["tokenizer.chat_template"]
    assert model.lengths == {"context_length": 2048, "embedding_length": 64}
    assert model.digest == manifest.digest
    assert model.size == manifest.size
    assert model.modified_at_ns == manifest_path(store, "m").stat().st_mtime_ns


def test_details_come_from_the_config_and_then_from_the_gguf(store: Store) -> None:
    add_model(store, "bare", config=Config(file_type="unknown"))
    assert store.model(name_of("bare")).details == {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": None,
        "parameter_size": "352",
        "quantization_level": "F16",
    }
    told = Config("gguf", "qwen2", ("qwen2", "clip"), "7.6B", "Q4_K_M", context_length=9)
    add_model(store, "told", config=told)
    model = store.model(name_of("told"))
    assert list(model.details.values()) == ["", "gguf", "qwen2", ["qwen2", "clip"], "7.6B", "Q4_K_M"]
    assert model.lengths["context_length"] == 9


@pytest.mark.parametrize(
    ("source", "shown"),
    [("llama3.2:latest", "llama3.2:latest"), ("/home/me/model.gguf", ""), ("C:\\models\\x.gguf", ""), ("", "")],
)
def test_T03_the_parent_model_is_a_name_and_no_path(store: Store, source: str, shown: str) -> None:
    weights = layer(store, MediaType.MODEL, gguf_bytes(), source=source)
    store.write_manifest(name_of("m"), Manifest.build(None, [weights]))
    assert store.model(name_of("m")).details["parent_model"] == shown


def test_the_last_model_layer_wins_and_prompt_is_an_old_word_for_template(store: Store) -> None:
    last = layer(store, MediaType.MODEL, gguf_bytes({"general.architecture": "other"}))
    add_model(store, "m", template="old", extra=(last, layer(store, MediaType.PROMPT, b"new")))
    model = store.model(name_of("m"))
    assert model.weights_digest == last.digest
    assert model.template == "new"


def test_damaged_models_are_left_out_and_warned_of_once(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    add_model(store, "good")
    config = add_model(store, "no-config", config=Config(base_name="lost")).config
    assert config is not None
    store.blob_path(config.digest).unlink()
    for name, raw in (("torn", b'{"layers":['), ("empty", b""), ("zeros", bytes(500))):
        path = manifest_path(store, name)
        path.parent.mkdir(parents=True)
        path.write_bytes(raw)
    for _ in range(2):
        assert listed(store) == ["good:latest"]
    assert len([record for record in caplog.records if "left out of the list" in record.message]) == 4
    for name in ("torn", "no-config"):
        with pytest.raises(StoreError, match=f"model '{name}:latest' is damaged, pull or create it again"):
            store.model(name_of(name))


def test_a_model_without_weights_is_listed_and_becomes_whole_when_they_come_back(store: Store) -> None:
    digest = add_model(store, "m").layers[0].digest
    data = store.read_blob(digest)
    store.blob_path(digest).unlink()
    model = store.model(name_of("m"))
    assert (model.weights, model.header, model.complete) == (None, None, False)
    assert model.weights_digest == digest
    assert listed(store) == ["m:latest"]
    store.put_blob(data)
    model = store.model(name_of("m"))
    assert model.weights == store.blob_path(digest)
    assert model.header is not None


def test_weights_that_are_no_gguf_leave_a_model_without_header(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    add_model(store, "m", weights=b"PK\3\4")
    model = store.model(name_of("m"))
    assert model.weights is not None
    assert model.header is None
    assert model.details["parameter_size"] == ""
    assert "invalid GGUF file: magic" in caplog.text


@pytest.mark.parametrize("raw", [b"{", b"[1]", b'"x"'])
@pytest.mark.parametrize("kind", [MediaType.PARAMS, MediaType.MESSAGES])
def test_params_and_messages_of_a_wrong_shape_make_a_model_damaged(store: Store, kind: MediaType, raw: bytes) -> None:
    add_model(store, "m", extra=(layer(store, kind, raw),))
    with pytest.raises(StoreError, match="is damaged"):
        store.model(name_of("m"))


def test_files_that_are_no_manifests_are_ignored(store: Store) -> None:
    add_model(store, "m")
    manifests = store.root / "manifests"
    for path in (".hidden", "a/b", "h/n/m/.tmp", "h/n/m/sub/deeper", "h/n/-m/t", "h/n.s/m/t"):
        (manifests / path).parent.mkdir(parents=True, exist_ok=True)
        (manifests / path).write_bytes(b"{}")
    assert listed(store) == ["m:latest"]


def test_a_changed_manifest_is_seen_and_an_unchanged_one_is_not_read_again(store: Store) -> None:
    add_model(store, "m", system="one")
    add_model(store, "other")
    before = {model.name: model for model in store.models()}
    add_model(store, "m", system="two")
    after = {model.name: model for model in store.models()}
    assert after[name_of("m")].system == "two"
    assert after[name_of("other")] is before[name_of("other")]
    assert store.model(name_of("m")) is after[name_of("m")]


def test_a_manifest_rewritten_in_place_by_ollama_is_seen(store: Store) -> None:
    add_model(store, "m", system="one")
    other = add_model(store, "n", system="the second")
    store.models()
    manifest_path(store, "m").write_bytes(other.raw)
    assert store.model(name_of("m")).system == "the second"


def test_models_with_the_same_weights_share_one_header(store: Store) -> None:
    add_model(store, "a", system="a")
    add_model(store, "b", system="b")
    a, b = store.models()
    assert a.header is b.header


def test_a_stub_of_a_hosted_model_is_listed(store: Store) -> None:
    config = layer(store, MediaType.CONFIG, Config(remote_host="https://h", remote_model="m").to_bytes())
    store.write_manifest(name_of("m:cloud"), Manifest.build(config, []))
    model = store.model(name_of("m:cloud"))
    assert model.config.remote_model == "m"
    assert model.weights_digest is None
    assert listed(store) == ["m:cloud"]


def test_a_manifest_is_not_written_before_its_blobs(store: Store) -> None:
    missing = Layer(MediaType.MODEL, Digest("0" * 64), 1)
    with pytest.raises(StoreError, match=r"was not written: blob sha256:0+ is missing"):
        store.write_manifest(name_of("m"), Manifest.build(None, [missing]))
    assert store.names() == []


def test_written_manifests_are_kept_byte_for_byte(store: Store) -> None:
    raw = b'{ "layers" : [],   "schemaVersion":2 }'
    store.write_manifest(name_of("m"), Manifest.parse(raw))
    path = manifest_path(store, "m")
    assert path.read_bytes() == raw
    assert path.stat().st_mode & 0o777 == 0o644
    assert store.find(name_of("m")).raw == raw
    assert [entry.name for entry in (store.root / "manifests").iterdir()] == ["registry.ollama.ai"]


def test_a_missing_model_is_not_found_by_the_name_that_was_asked_for(store: Store) -> None:
    add_model(store, "Llama")
    (store.root / "manifests" / "host.example").write_text("a file in the way")
    for name in ("nope", "llama:9b", "host.example/n/m"):
        with pytest.raises(NotFound, match=f"model '{name_of(name).shortest}' not found"):
            store.model(name_of(name))
        with pytest.raises(NotFound):
            store.find(name_of(name))


def test_T03_a_fifo_among_the_manifests_hangs_nothing(store: Store) -> None:
    path = manifest_path(store, "fifo")
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert listed(store) == []
    with pytest.raises(StoreError, match="not a regular file"):
        store.find(name_of("fifo"))


def test_a_thousand_models_are_listed_without_opening_one_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = add_model(store, "m")
    folder = manifest_path(store, "m").parent.parent
    for number in range(999):
        (folder / f"m{number}").mkdir()
        (folder / f"m{number}" / "latest").write_bytes(manifest.raw)
    assert len(store.models()) == 1000
    opened: list[object] = []
    monkeypatch.setattr("puna.store.files.os.open", lambda *arguments: opened.append(arguments))
    assert len(store.models()) == 1000
    assert opened == []


def test_config_of_the_listed_model_survives_a_round_trip(store: Store) -> None:
    add_model(store, "m")
    model = store.model(name_of("m"))
    assert model.weights is not None
    told = Config.from_header(read_gguf_header(model.weights))
    assert told == replace(told, model_family="llama", model_type="352", file_type="F16")
