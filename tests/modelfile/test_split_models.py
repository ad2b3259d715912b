"""Models that come in several files are stored as one (contract ollama-store §4.2)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from puna.errors import BadRequest
from puna.modelfile import CreateRequest, create_model
from puna.names import ModelName
from puna.store import Store
from tests import tiny_models
from tests.modelfile.files import gguf, run, statuses, upload

NAME = ModelName.parse("m")


def create(store: Store, files: dict[str, bytes]) -> list[str]:
    digests = {name: upload(store, data) for name, data in files.items()}
    return statuses(run(store, CreateRequest(target=NAME, files=digests)))


def parts(count: int = 3, order: str = "<") -> dict[str, bytes]:
    """A small model in `count` files, one tensor in each, as llama.cpp names and numbers them."""
    files = {}
    for number in range(count):
        kv: dict[str, str | int | bool] = {"split.no": number, "split.count": count, "split.tensors.count": count}
        if number == 0:
            kv |= {"general.name": "whole", "general.file_type": 1}
        tensors = {f"blk.{number}.weight": bytes([number]) * 4 * (number + 3)}
        arch = "llama" if number == 0 else None
        files[f"m-{number + 1:05}-of-{count:05}.gguf"] = gguf(kv, tensors, arch=arch, order=order)
    return files


@pytest.mark.parametrize("order", ["<", ">"])
def test_parts_become_one_layer_with_every_tensor(store: Store, order: str) -> None:
    told = create(store, parts(order=order))
    assert told[:2] == ["parsing GGUF", "converting model"]
    model = store.model(NAME)
    assert len(model.manifest.layers) == 1
    assert model.header is not None
    assert model.weights is not None
    data = model.weights.read_bytes()
    found = {tensor.name: data[tensor.offset : tensor.offset + 4 * tensor.shape[0]] for tensor in model.header.tensors}
    assert found == {f"blk.{number}.weight": bytes([number]) * 4 * (number + 3) for number in range(3)}
    assert model.header.kv["general.name"] == "whole"
    assert not any(key.startswith("split.") for key in model.header.kv)


def test_what_llama_cpp_splits_comes_back_byte_for_byte(store: Store, tiny_embedder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "m.gguf"
    shutil.copy(tiny_embedder, copy)
    files = {path.name: path.read_bytes() for path in tiny_models.split_gguf(copy, 3)}
    assert len(files) == 3
    create(store, files)
    weights = store.model(NAME).weights
    assert weights is not None
    assert weights.read_bytes() == tiny_embedder.read_bytes()


def test_a_part_that_is_missing_doubled_or_misnumbered_is_refused(store: Store) -> None:
    whole = parts()
    first, second, third = whole.values()
    numbered = {"split.no": 1, "split.count": 3}
    wrong = [
        {"m-00001-of-00003.gguf": first, "m-00003-of-00003.gguf": third},
        {"m-00001-of-00003.gguf": first},
        {"m-00000-of-00003.gguf": first, "m-00001-of-00003.gguf": second, "m-00002-of-00003.gguf": third},
        {"m-00001-of-00003.gguf": second, "m-00002-of-00003.gguf": first, "m-00003-of-00003.gguf": third},
        {"m-00001-of-00002.gguf": first, "m-00002-of-00002.gguf": second},
        {"m-00001-of-00000.gguf": first},
        {"other.gguf": first},
        {**whole, "m-00002-of-00003.gguf": gguf(numbered, {"blk.0.weight": b"1234"}, arch=None)},
        {**whole, "m-00002-of-00003.gguf": gguf(numbered, arch=None)},
        {**whole, "m-00002-of-00003.gguf": list(parts(order=">").values())[1]},
    ]  # fmt: skip
    for files in wrong:
        with pytest.raises(BadRequest, match="split GGUF"):
            create(store, files)
    assert store.models() == []


def test_a_merge_that_is_cancelled_leaves_only_the_uploads(store: Store) -> None:
    files = {name: upload(store, data) for name, data in parts().items()}
    before = sorted((store.root / "blobs").iterdir())
    steps = create_model(store, CreateRequest(target=NAME, files=files))
    while next(steps).status != "converting model":
        pass
    steps.close()  # type: ignore[attr-defined]
    assert sorted((store.root / "blobs").iterdir()) == before


def test_a_merge_before_a_mistake_leaves_only_the_uploads(store: Store) -> None:
    files = {name: upload(store, data) for name, data in (parts() | {"z.gguf": b"GGUF and then nothing"}).items()}
    before = sorted((store.root / "blobs").iterdir())
    with pytest.raises(BadRequest, match="invalid GGUF file"):
        run(store, CreateRequest(target=NAME, files=files))
    assert sorted((store.root / "blobs").iterdir()) == before
