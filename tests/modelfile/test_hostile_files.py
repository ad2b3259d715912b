"""Create with what an attacker would send (threats T01, T02, T03, T11, T12, T15)."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from puna.errors import BadRequest, PunaError
from puna.modelfile import CreateRequest
from puna.names import ModelName
from puna.store import Store
from tests.modelfile.files import EMPTY_GGUF, gguf, make, run, upload

NAME = ModelName.parse("m")
WHOLE = gguf({"general.name": "x", "general.alignment": 32}, {"a": bytes(64), "b": bytes(32)})


def refusal(store: Store, **fields: Any) -> str:
    with pytest.raises(BadRequest) as caught:
        run(store, CreateRequest(**({"target": NAME} | fields)))
    assert caught.value.status == 400
    assert store.models() == []
    return caught.value.message


@pytest.mark.parametrize("field", ["files", "adapters", "draft_files"])
@pytest.mark.parametrize(
    "name",
    ["../a", "/a", "a/../../b", "C:\\a", "c:a", "a\0b", "..", ".", "", "a//b", "a/", "a\\..\\b", "./a", "a/./b", "/"],
)
def test_T02_a_file_key_is_never_a_path(store: Store, field: str, name: str) -> None:
    files = {"files": {"m.gguf": upload(store, EMPTY_GGUF)}}
    assert refusal(store, **(files | {field: {name: upload(store, EMPTY_GGUF)}})) == "file path must be relative"


def test_T02_a_relative_key_below_a_folder_is_fine(store: Store) -> None:
    run(store, CreateRequest(target=NAME, files={"weights/m.gguf": upload(store, EMPTY_GGUF)}))
    assert store.model(NAME).details["family"] == "test"


HEX = "0" * 64


@pytest.mark.parametrize(
    "digest",
    ["", HEX, "sha256:../" + HEX[3:], f"sha256:{HEX[1:]}", f"sha256:{HEX}0", f"sha512:{HEX}", f"sha256:{HEX}\n",
     f"sha256:{HEX[:-1]}\0", f"sha256:%2e%2e{HEX[6:]}", "sha256:" + "a" * 10_000, "sha256:..\\" + HEX[3:], "/etc"],
)  # fmt: skip
def test_T01_a_digest_is_never_a_path(store: Store, digest: str) -> None:
    assert refusal(store, files={"m.gguf": digest}) == "invalid digest format"


@pytest.mark.parametrize(
    "base", ["../x", "/etc/passwd", "a/b/c/d", "..", "x\0y", "%2e%2e", "-x", "ns/..", "x@sha256:" + HEX]
)
def test_T01_a_base_is_never_a_path(store: Store, base: str) -> None:
    assert refusal(store, base=base) == "invalid model name"


def test_T03_existing_and_missing_paths_get_the_same_answer(store: Store, tmp_path: Path) -> None:
    present = ["/etc/passwd", "/", "/tmp", "/dev/zero", str(tmp_path), str(store.root), "/proc/self/environ", "/bin/sh"]
    missing = [f"{path}-is-not-there" for path in present]
    answers = {refusal(store, base=path).replace(path, "") for path in present + missing}
    assert len(answers) == 1


class _Payload:
    def __init__(self, flag: Path) -> None:
        self._flag = flag

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self._flag),))


@pytest.mark.parametrize(
    "name",
    ["model.bin", "model.pt", "model.pkl", "model.pth", "model.ckpt", "model.safetensors", "model", "model.gguf"],
)
@pytest.mark.parametrize("kind", ["pickle", "zip", "torch"])
def test_T15_a_file_that_is_a_program_is_refused_and_not_run(
    store: Store, tmp_path: Path, name: str, kind: str
) -> None:
    flag = tmp_path / "flag"
    data = pickle.dumps(_Payload(flag), protocol=4)
    if kind != "pickle":
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("archive/data.pkl" if kind == "torch" else "../../evil", data)
        data = archive.getvalue()
    message = refusal(store, files={name: upload(store, data)})
    assert message.startswith("only GGUF files can be imported")
    assert not flag.exists()


def test_T15_a_tree_with_safetensors_and_code_is_refused(store: Store) -> None:
    config = b'{"architectures":["Llama"],"auto_map":{"AutoModel":"evil--evil.Model"}}'
    files = {"config.json": config, "model.safetensors": struct.pack("<Q", 2) + b"{}", "modeling_x.py": b"import os"}
    message = refusal(store, files={name: upload(store, data) for name, data in files.items()})
    assert message.startswith("only GGUF files can be imported")


def _with(offset: int, size: int, value: int) -> bytes:
    return WHOLE[:offset] + (value % (1 << 8 * size)).to_bytes(size, "little") + WHOLE[offset + size :]


@pytest.mark.parametrize("value", [0, 1, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1, -1])
@pytest.mark.parametrize(
    ("offset", "size"), [(4, 4), (8, 8), (16, 8), (24, 8), (WHOLE.index(b"general.alignment") + 21, 4)]
)
def test_T11_a_lying_header_field_is_refused_or_harmless(store: Store, offset: int, size: int, value: int) -> None:
    _accepts_or_refuses(store, _with(offset, size, value))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_T11_a_damaged_header_is_refused_or_harmless(store: Store, data: st.DataObject) -> None:
    damaged = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    _accepts_or_refuses(store, bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


def _accepts_or_refuses(store: Store, data: bytes) -> None:
    """Alone and as a part of a split model: a model, or an error for the caller; nothing else."""
    digest = upload(store, data)
    first = upload(store, gguf({"split.no": 0, "split.count": 2}))
    for files in (
        {"m.gguf": digest},
        {"m-00001-of-00001.gguf": digest},
        {"m-00001-of-00002.gguf": first, "m-00002-of-00002.gguf": digest},
    ):
        try:
            run(store, CreateRequest(target=NAME, files=files))
        except BadRequest:
            continue
        assert store.model(NAME).header is not None


def test_T03_no_message_names_the_store(store: Store) -> None:
    make(store, "base")
    (store.root / "blobs" / f"sha256-{HEX}").mkdir()
    for fields in (
        {"files": {"m.gguf": f"sha256:{HEX}"}},
        {"base": "absent"},
        {"files": {"m.gguf": upload(store, b"GGUF")}},
        {"base": "base", "quantize": "Q8_0"},
    ):
        with pytest.raises(PunaError) as caught:
            run(store, CreateRequest(**({"target": NAME} | fields)))  # type: ignore[arg-type]
        assert str(store.root) not in caught.value.message
        assert str(Path.home()) not in caught.value.message
