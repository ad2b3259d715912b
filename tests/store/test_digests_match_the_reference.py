"""Blobs and manifests made here have the digests that the reference gives them (contract ollama-store §7, §2.3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puna.errors import BadRequest
from puna.names import Digest
from puna.store import Config, Layer, Manifest, MediaType, Store, go_json, read_gguf_header
from tests.store.gguf_files import gguf_bytes, write_gguf

TEST_GGUF = gguf_bytes({"general.architecture": "test"}, [])

MESSAGES = [
    {"role": "assistant", "content": "What is my purpose?"},
    {"role": "user", "content": "You run tests."},
    {"role": "assistant", "content": "Oh, my god."},
]


@pytest.mark.parametrize(
    ("data", "starts"),
    [
        (b"{{ .Prompt }}", "b507b9c2"),
        (b"{{ .System }} {{ .Prompt }}", "fe7ac77b"),
        (b"Say hi!", "f29e82a8"),
        (go_json({"stop": ["USER:", "ASSISTANT:"], "temperature": 1, "top_k": 10}), "1d0ad712"),
        (go_json({"stop": ["<|endoftext|>"], "temperature": 0.6, "top_k": 10, "top_p": 0.7}), "12f58bb7"),
        (go_json(MESSAGES), "298baeaf"),
        (TEST_GGUF, "89a2116c"),
    ],
)
def test_blob_digests(store: Store, data: bytes, starts: str) -> None:
    assert store.put_blob(data)[0].hex.startswith(starts)


def test_config_of_a_gguf_file(tmp_path: Path) -> None:
    assert len(TEST_GGUF) == 68
    header = read_gguf_header(write_gguf(tmp_path / "model.gguf", {"general.architecture": "test"}, []))
    config = Config.from_header(header).to_bytes()
    assert config == (
        b'{"model_format":"gguf","model_family":"test","model_families":["test"],"model_type":"0",'
        b'"file_type":"unknown","architecture":"amd64","os":"linux"}\n'
    )
    assert Manifest(config, None, ()).digest.hex.startswith("99759ad5")


def test_config_writes_optional_fields_in_order_and_reads_them_back() -> None:
    config = Config(
        model_family="llama",
        renderer="r",
        parser="p",
        requires="0.14.0",
        remote_host="https://h",
        remote_model="m",
        capabilities=("completion",),
        context_length=8,
        embedding_length=4,
        base_name="b",
        draft={"architecture": "a"},
    )
    assert config.to_bytes() == (
        b'{"model_format":"","model_family":"llama","model_families":null,"model_type":"","file_type":"",'
        b'"renderer":"r","parser":"p","requires":"0.14.0","remote_host":"https://h","remote_model":"m",'
        b'"capabilities":["completion"],"context_length":8,"embedding_length":4,"base_name":"b",'
        b'"draft":{"architecture":"a"},"architecture":"amd64","os":"linux"}\n'
    )
    assert Config.parse(config.to_bytes()) == config


def test_config_ignores_unknown_keys_and_wrong_types() -> None:
    raw = (
        b'{"model_format":7,"model_family":"llama","rootfs":{},"context_length":-1,"model_families":["a",2],"draft":[]}'
    )
    assert Config.parse(raw) == Config(model_family="llama", model_families=("a",))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'"x"', b"[" * 5000, b"\xff"])
def test_config_that_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="invalid model config"):
        Config.parse(raw)


def test_manifests_have_the_references_bytes() -> None:
    config = Layer(MediaType.CONFIG, Digest("a" * 64), 5)
    layer = Layer(MediaType.MODEL, Digest("b" * 64), 7, "llama3.2:latest", "x<y")
    manifest = Manifest.build(config, [layer])
    assert manifest.raw == (
        b'{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
        b'"config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"sha256:'
        + b"a" * 64
        + b'","size":5},"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:'
        + b"b" * 64
        + b'","size":7,"from":"llama3.2:latest","name":"x\\u003cy"}]}\n'
    )
    assert Manifest.parse(manifest.raw) == manifest
    assert manifest.size == 12


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (0.7, "0.7"),
        (-0.0, "-0"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (2**70, str(2**70)),
        (True, "true"),
        (None, "null"),
        ('a<b>&\u2028\u2029\n"\x01é', '"a\\u003cb\\u003e\\u0026\\u2028\\u2029\\n\\"\\u0001é"'),
        ((), "[]"),
        ({}, "{}"),
    ],
)
def test_json_is_written_as_go_writes_it(value: object, text: str) -> None:
    assert go_json(value) == text.encode() + b"\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": object()}])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(BadRequest):
        go_json(value)


def test_bottomless_json_is_refused() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(BadRequest, match="nested too deeply"):
        go_json(value)


SCALARS = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_reads_back_as_it_was(value: float) -> None:
    assert float(go_json(value)) == value


@given(JSON)
def test_any_json_reads_back_as_it_was(value: object) -> None:
    assert json.loads(go_json(value)) == value
