"""Models from files and from other models (contract ollama-store §4.1, §4.2, digests of §7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from puna.errors import BadRequest, Forbidden, PunaError, StoreError
from puna.modelfile import CreateRequest, create_model
from puna.names import ModelName
from puna.store import Store
from tests.modelfile.files import EMPTY_GGUF, blobs, gguf, layer_text, make, run, statuses, upload

NAME = ModelName.parse("m")
QUESTIONS = (
    {"role": "assistant", "content": "What is my purpose?"},
    {"role": "user", "content": "You run tests."},
    {"role": "assistant", "content": "Oh, my god."},
)


def request(**fields: Any) -> CreateRequest:
    return CreateRequest(**({"target": NAME} | fields))


def test_a_file_becomes_the_model_that_the_reference_would_make(store: Store) -> None:
    model = make(store, "m")
    assert model.manifest.config is not None
    assert str(model.manifest.layers[0].digest).startswith("sha256:89a2116c")
    assert str(model.manifest.config.digest).startswith("sha256:99759ad5")


@pytest.mark.parametrize(
    ("field", "value", "kind", "digest"),
    [
        ("template", "{{ .Prompt }}", "template", "b507b9c2"),
        ("template", "{{ .System }} {{ .Prompt }}", "template", "fe7ac77b"),
        ("system", "Say hi!", "system", "f29e82a8"),
        ("parameters", {"temperature": 1, "top_k": 10, "stop": ["USER:", "ASSISTANT:"]}, "params", "1d0ad712"),
        (
            "parameters",
            {"top_p": 0.7, "temperature": 0.6, "top_k": 10, "stop": ["<|endoftext|>"]},
            "params",
            "12f58bb7",
        ),
        ("messages", QUESTIONS, "messages", "298baeaf"),
    ],
)
def test_texts_are_stored_with_the_reference_s_bytes(
    store: Store, field: str, value: object, kind: str, digest: str
) -> None:
    layer = make(store, "m", **{field: value}).manifest.layers[-1]
    assert layer.media_type == f"application/vnd.ollama.image.{kind}"
    assert layer.digest.hex.startswith(digest)


def test_the_steps_are_told_in_order(store: Store) -> None:
    file = upload(store, EMPTY_GGUF)
    steps = run(store, request(files={"a.gguf": file}, system="s"))
    layers = [str(layer.digest) for layer in store.model(NAME).manifest.layers]
    assert [step.to_wire() for step in steps] == [
        {"status": "parsing GGUF"},
        {"status": "verifying conversion"},
        {"status": f"using existing layer {layers[0]}"},
        {"status": f"creating new layer {layers[1]}"},
        {"status": "writing manifest"},
        {"status": "success"},
    ]


def test_layers_stand_in_the_contract_s_order(store: Store) -> None:
    lora = upload(store, gguf({"general.type": "adapter"}))
    draft = upload(store, gguf({"general.name": "small"}))
    model = make(
        store,
        "m",
        adapters={"lora.gguf": lora},
        draft_files={"draft.gguf": draft},
        messages=QUESTIONS,
        parameters={"seed": 1},
        licenses=("MIT", "Apache"),
        system="s",
        template="{{ .Prompt }}",
    )
    kinds = [layer.media_type.rpartition(".")[2] for layer in model.manifest.layers]
    expected = ["model", "adapter", "draft", "template", "system", "license", "license", "params", "messages"]
    assert kinds == expected


def test_a_model_from_another_one_keeps_what_it_does_not_replace(store: Store) -> None:
    make(
        store,
        "Base",
        template="{{ .Prompt }}",
        system="old",
        licenses=("MIT",),
        parameters={"seed": 1, "stop": ["a", "b"], "top_k": 3},
        messages=QUESTIONS,
        renderer="r",
        parser="p",
        requires="0.5.0",
        info={"capabilities": ["tools"]},
    )
    changes = {"system": "new", "licenses": ("Apache",), "parameters": {"stop": ["c"], "seed": 2}, "renderer": "other"}
    steps = run(store, request(base="base", **changes))
    model = store.model(NAME)
    assert (model.system, model.template, model.licenses) == ("new", "{{ .Prompt }}", ("MIT", "Apache"))
    assert model.params == {"seed": 2, "stop": ["c"], "top_k": 3}
    assert layer_text(store, model, "params") == [b'{"seed":2,"stop":["c"],"top_k":3}\n']
    assert model.messages == QUESTIONS
    config = model.config
    assert (config.renderer, config.parser, config.requires, config.capabilities) == ("other", "p", "0.5.0", ("tools",))
    assert model.parent_model == "Base:latest"
    sources = [layer.source for layer in model.manifest.layers]
    assert sources == ["Base:latest"] * 4 + ["", "", ""]
    assert statuses(steps)[0] == "verifying conversion"


def test_an_empty_text_does_not_clear_an_inherited_one(store: Store) -> None:
    make(store, "base", system="kept")
    run(store, request(base="base", system=""))
    assert store.model(NAME).system == "kept"


def test_the_base_wins_over_files(store: Store) -> None:
    make(store, "base", gguf({"general.name": "from"}))
    run(store, request(base="base", files={"a.gguf": upload(store, EMPTY_GGUF)}))
    assert store.model(NAME).weights_digest == store.model(ModelName.parse("base")).weights_digest


def test_the_config_describes_the_weights(store: Store) -> None:
    config = make(store, "m", gguf({"general.file_type": 15}, {"a": bytes(4 * 1500)}, arch="qwen2")).config
    assert (config.model_family, config.model_families, config.model_type) == ("qwen2", ("qwen2",), "2K")
    assert config.file_type == "Q4_K_M"


def test_a_stored_file_type_of_zero_is_f32(store: Store) -> None:
    assert make(store, "m", gguf({"general.file_type": 0})).config.file_type == "F32"


def test_info_overrides_the_config(store: Store) -> None:
    info = {
        "model_family": "f",
        "parameter_size": "7B",
        "quantization_level": "Q1",
        "base_name": "b",
        "context_length": 4096.0,
        "embedding_length": 64,
        "capabilities": ["vision"],
        "unknown": object(),
    }
    config = make(store, "m", info=info).config
    assert (config.model_family, config.model_type, config.file_type, config.base_name) == ("f", "7B", "Q1", "b")
    assert (config.context_length, config.embedding_length, config.capabilities) == (4096, 64, ("vision",))


def test_architectures_bring_their_defaults_unless_told_otherwise(store: Store) -> None:
    model = make(store, "m", gguf(arch="gemma4"))
    assert (model.config.renderer, model.config.parser, model.params) == ("gemma4", "gemma4", {"stop": ["<turn|>"]})
    model = make(store, "m", gguf(arch="gemma4"), renderer="x", parameters={"stop": ["y"]})
    assert (model.config.renderer, model.config.parser, model.params) == ("x", "gemma4", {"stop": ["y"]})
    assert make(store, "m", gguf(arch="nemotron_h_moe")).config.parser == "nemotron-3-nano"


@pytest.mark.parametrize(
    ("kv", "arch", "kind"),
    [
        ({"general.type": "mmproj"}, "clip", "projector"),
        ({"general.type": "projector"}, "clip", "projector"),
        ({"clip.block_count": None, "clip.has_audio_encoder": True}, "clip", "projector"),
        ({"x.block_count": None, "x.vision.block_count": 3}, "x", "projector"),
        ({"general.type": "adapter"}, "llama", "adapter"),
    ],
)
def test_files_beside_the_model_get_the_layer_of_their_kind(
    store: Store, kv: dict[str, Any], arch: str, kind: str
) -> None:
    other = upload(store, gguf(kv, arch=arch))
    run(store, request(files={"a.gguf": upload(store, EMPTY_GGUF), "b.gguf": other}))
    model = store.model(NAME)
    assert [layer.media_type.rpartition(".")[2] for layer in model.manifest.layers] == ["model", kind]
    assert model.config.model_families == ("test",)


def test_an_early_llava_projector_is_completed(store: Store) -> None:
    early = gguf({"clip.block_count": None, "clip.has_vision_encoder": True}, {"v.a": b"abcd" * 9}, arch="clip")
    steps = run(store, request(files={"m.gguf": upload(store, EMPTY_GGUF), "p.gguf": upload(store, early)}))
    assert "updating GGUF projector metadata" in statuses(steps)
    header = store.model(NAME).projector_header
    assert header is not None
    assert header.kv["clip.projector_type"] == "mlp"
    assert [tensor.name for tensor in header.tensors] == ["v.a"]


def test_the_stored_spelling_of_a_name_is_used(store: Store) -> None:
    make(store, "MyModel")
    run(store, request(target=ModelName.parse("mymodel"), base="MYMODEL", system="s"))
    assert [model.name.model for model in store.models()] == ["MyModel"]
    assert store.model(ModelName.parse("mymodel")).system == "s"


def test_replacing_a_model_removes_what_nobody_needs_any_more(store: Store) -> None:
    make(store, "m", system="only here")
    make(store, "other", gguf({"general.name": "o"}), system="shared")
    run(store, request(base="m", system="shared"))
    needed = {digest for model in store.models() for digest in model.manifest.digests}
    assert blobs(store) == needed


def test_a_failed_create_leaves_no_trace(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    uploaded = upload(store, EMPTY_GGUF)
    before = blobs(store)

    def fail(*_: object) -> None:
        raise StoreError("could not write a manifest: No space left on device")

    monkeypatch.setattr(store, "write_manifest", fail)
    with pytest.raises(StoreError):
        run(store, request(files={"a.gguf": uploaded}, system="new text"))
    assert blobs(store) == before
    assert store.models() == []


def test_a_cancelled_create_leaves_no_trace(store: Store) -> None:
    uploaded = upload(store, EMPTY_GGUF)
    before = blobs(store)
    steps = create_model(store, request(files={"a.gguf": uploaded}, system="new text"))
    while next(steps).status != "writing manifest":
        assert store.models() == []
    steps.close()  # type: ignore[attr-defined]
    assert blobs(store) == before
    assert store.models() == []


ZEROS = "sha256:" + "0" * 64
NOT_A_COUNT = 'info field "context_length" must be a non-negative integer'


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"base": ""}, "neither 'from' or 'files' was specified"),
        ({"base": "a/b/c/d"}, "invalid model name"),
        ({"base": "x:cloud:local"}, 'use either :local or :cloud, not both: "x:cloud:local"'),
        ({"files": {"m.gguf": ""}}, "invalid digest format"),
        ({"draft_quantize": "Q8_0"}, "--draft-quantize requires a DRAFT model"),
        (
            {"remote_host": "https://x"},
            "bad remote: models of other hosts are not supported, leave out 'remote_host'",
        ),
        ({"adapters": {"a": ZEROS, "b": ZEROS}}, "only one adapter is currently supported"),
        ({"draft_files": {"a": ZEROS, "b": ZEROS}}, "only one draft model is currently supported"),
        ({"info": {"model_family": 1}}, 'info field "model_family" must be a string'),
        ({"info": {"context_length": "1"}}, 'info field "context_length" must be a number'),
        ({"info": {"context_length": True}}, 'info field "context_length" must be a number'),
        ({"info": {"context_length": -1}}, NOT_A_COUNT),
        ({"info": {"context_length": 1.5}}, NOT_A_COUNT),
        ({"info": {"context_length": float("nan")}}, NOT_A_COUNT),
        ({"info": {"capabilities": "x"}}, 'info field "capabilities" must be a list of strings'),
        ({"messages": [{"role": "x"}]}, 'message role must be one of "system", "user", or "assistant"'),
        ({"messages": [{"role": "user", "content": 5}]}, "message content must be a string"),
        ({"requires": "1.x"}, "requires must be a valid semver (e.g. 0.14.0)"),
    ],
)
def test_a_wrong_request_is_refused_before_the_first_step(store: Store, fields: dict[str, Any], error: str) -> None:
    make(store, "base")
    with pytest.raises(BadRequest) as caught:
        next(create_model(store, request(**({"base": "base"} | fields))))
    assert caught.value.message == error
    assert caught.value.status == 400


def test_a_broken_template_is_refused_before_the_first_step(store: Store) -> None:
    make(store, "base")
    with pytest.raises(BadRequest, match=r"^template error: "):
        next(create_model(store, request(base="base", template="{{ if")))


def test_a_base_that_is_not_here_is_named_as_the_reference_does(store: Store) -> None:
    with pytest.raises(PunaError, match=r"^pull model manifest: file does not exist$") as caught:
        next(create_model(store, request(base="nobody")))
    assert caught.value.status == 500


def test_a_hosted_base_is_refused(store: Store) -> None:
    with pytest.raises(Forbidden, match="remote model is unavailable"):
        next(create_model(store, request(base="m:cloud")))


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"p.gguf": gguf({"general.type": "mmproj"})}, "the files hold 0 models, give exactly one"),
        ({"a.gguf": EMPTY_GGUF, "b.gguf": gguf()}, "the files hold 2 models, give exactly one"),
        ({"a.gguf": b"not a model"}, "supplied file was not in GGUF format"),
        ({"README.md": b"# Model"}, "unknown type"),
    ],
)
def test_files_must_hold_exactly_one_model(store: Store, files: dict[str, bytes], error: str) -> None:
    digests = {name: upload(store, data) for name, data in files.items()}
    with pytest.raises(BadRequest) as caught:
        run(store, request(files=digests))
    assert caught.value.message == error


def test_a_file_that_was_not_uploaded_is_named(store: Store) -> None:
    digest = "sha256:" + "0" * 64
    with pytest.raises(BadRequest, match=f"blob {digest} not found: upload it first"):
        run(store, request(files={"a.gguf": digest}))


def test_only_an_adapter_is_an_adapter(store: Store) -> None:
    file = upload(store, EMPTY_GGUF)
    with pytest.raises(BadRequest, match="not a LoRA adapter"):
        run(store, request(files={"a.gguf": file}, adapters={"a.gguf": file}))


def test_a_real_model_can_be_given_an_adapter(store: Store, tiny_llama: Path, tiny_lora: Path) -> None:
    model_file, lora_file = (str(store.adopt(path)[0]) for path in (tiny_llama, tiny_lora))
    run(store, request(files={"tiny.gguf": model_file}, adapters={"lora.gguf": lora_file}))
    model = store.model(NAME)
    assert model.details["quantization_level"] == "F16"
    assert model.lengths == {"context_length": 8192, "embedding_length": 64}
    assert len(model.adapters) == 1
