"""A GGUF file's header is read as other readers read it."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest
from gguf.constants import GGML_QUANT_SIZES

from puna.errors import BadRequest, StoreError
from puna.store import FILE_TYPES, TENSOR_TYPES, GgufArray, read_gguf_header
from tests.store.gguf_files import LLAMA, Tensor, write_gguf


def test_smollm2_reads_as_the_gguf_package_reads_it(smollm2_gguf: Path) -> None:
    ours, theirs = read_gguf_header(smollm2_gguf), gguf.GGUFReader(smollm2_gguf)

    stored = {key: field for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
    assert set(ours.kv) - {"general.parameter_count"} == set(stored)
    for key, field in stored.items():
        value = ours.kv[key]
        if isinstance(value, GgufArray):
            assert ours.read_array(smollm2_gguf, key) == field.contents(), key
        else:
            assert value == field.contents(), key
    assert [(t.name, t.type, t.shape, t.offset) for t in ours.tensors] == [
        (t.name, t.tensor_type.name, tuple(map(int, t.shape)), int(t.data_offset)) for t in theirs.tensors
    ]
    assert ours.parameter_count == sum(int(t.n_elements) for t in theirs.tensors) == 134_515_008
    assert (ours.architecture, ours.file_type, ours.version) == ("llama", "Q4_1", 3)


def test_block_sizes_are_those_of_ggml() -> None:
    theirs = {kind.value: (kind.name, *sizes) for kind, sizes in GGML_QUANT_SIZES.items()}
    assert {number: tuple(kind) for number, kind in TENSOR_TYPES.items()} == theirs


def test_file_types_are_those_of_the_gguf_package() -> None:
    special = {"MOSTLY_TQ1_0": "TQ1_0", "ALL_F32": "F32"}
    theirs = {kind.value: special.get(kind.name, kind.name.removeprefix("MOSTLY_")) for kind in gguf.LlamaFileType}
    common = FILE_TYPES.keys() & theirs.keys()
    assert len(common) > 30
    assert {number: FILE_TYPES[number] for number in common} == {number: theirs[number] for number in common}


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(("order", "magic"), [("<", b"GGUF"), (">", b"GGUF"), (">", b"FUGG")])
def test_all_versions_and_byte_orders_read_alike(tmp_path: Path, version: int, order: str, magic: bytes) -> None:
    path = write_gguf(tmp_path / "model.gguf", version=version, order=order, magic=magic)
    header = read_gguf_header(path)
    assert header.version == version
    assert header.get("context_length") == 2048
    assert header.get("general.file_type") == 1
    assert header.read_array(path, "tokenizer.ggml.tokens") == ["a", "bé", "<|end|>"]
    assert header.read_array(path, "tokenizer.ggml.scores") == [0.0, 0.5, 1.0]
    assert [tensor.shape for tensor in header.tensors] == [(64, 3), (64, 2), (32,)]
    assert header.parameter_count == 64 * 3 + 64 * 2 + 32


def test_keys_outside_general_and_tokenizer_belong_to_the_architecture(tmp_path: Path) -> None:
    header = read_gguf_header(write_gguf(tmp_path / "model.gguf"))
    assert header.get("embedding_length") == header.kv["llama.embedding_length"] == 64
    assert header.get("tokenizer.chat_template") == LLAMA["tokenizer.chat_template"]
    assert header.get("pooling_type") is None
    assert header.get("pooling_type", 7) == 7
    assert header.get_int("embedding_length") == 64
    assert header.get_int("tokenizer.chat_template") == 0


def test_a_stored_parameter_count_is_replaced_by_the_counted_one(tmp_path: Path) -> None:
    kv = {"general.architecture": "llama", "general.parameter_count": 5}
    header = read_gguf_header(write_gguf(tmp_path / "model.gguf", kv, [Tensor("t", (32, 2))]))
    assert header.parameter_count == header.get("general.parameter_count") == 64


@pytest.mark.parametrize(("stored", "shown"), [(0, "F32"), (15, "Q4_K_M"), (4, "unknown"), (999, "unknown")])
def test_file_type_is_named(tmp_path: Path, stored: int, shown: str) -> None:
    kv = {"general.architecture": "llama", "general.file_type": stored}
    assert read_gguf_header(write_gguf(tmp_path / "model.gguf", kv, [])).file_type == shown


def test_missing_architecture_and_file_type_are_unknown(tmp_path: Path) -> None:
    header = read_gguf_header(write_gguf(tmp_path / "model.gguf", {"a.b": True}, []))
    assert (header.architecture, header.file_type, header.tensors) == ("unknown", "unknown", ())


def test_reading_an_array_under_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf")
    header = read_gguf_header(path)
    for key in ("general.architecture", "no.such.key"):
        with pytest.raises(BadRequest, match="is not an array"):
            header.read_array(path, key)


def test_vocabularies_longer_than_the_window_are_stepped_over(tmp_path: Path) -> None:
    tokens = [f"token {number} " + "x" * (number % 97) for number in range(20_000)]
    kv = {"general.architecture": "llama", "tokenizer.ggml.tokens": tokens, "llama.context_length": 77}
    path = write_gguf(tmp_path / "model.gguf", kv)
    header = read_gguf_header(path)
    assert header.get("context_length") == 77
    assert header.read_array(path, "tokenizer.ggml.tokens") == tokens


def test_a_missing_file_is_an_error_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        read_gguf_header(tmp_path / "nothing.gguf")
    assert str(tmp_path) not in str(caught.value)
