"""Whatever a GGUF file claims, it is read or refused by the field's name: nothing crashes, hangs or eats memory."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from puna.errors import BadRequest, StoreError
from puna.store import TENSOR_TYPES, GgufHeader, read_gguf_header
from puna.store.cursor import MAX_STRING
from tests.store.gguf_files import LLAMA, WEIGHTS, Tensor, fields, gguf_bytes, write_gguf

NUMBER_FIELDS = [
    name
    for name in fields()
    if re.search(r"(version|count|length|type|dimensions|dimension \d|offset|value)$", name)
    and not name.startswith(("key ", "tensor "))
] + ["key general.architecture length", "tensor output.weight length"]
_SIZES = {kind.name: kind for kind in TENSOR_TYPES.values()}


def _values(piece: bytes) -> Iterator[bytes]:
    """0, 1, the largest two, the smallest and the largest negative number, and one more and one less than is right."""
    bits = 8 * len(piece)
    right = int.from_bytes(piece, "little")
    for value in (0, 1, 2**bits - 1, 2**bits - 2, 2 ** (bits - 1), 2 ** (bits - 1) - 1, right - 1, right + 1):
        if value != right and 0 <= value < 2**bits:
            yield value.to_bytes(len(piece), "little")


def _assert_inside(header: GgufHeader, path: Path) -> None:
    end = 0
    for tensor in sorted(header.tensors, key=lambda tensor: tensor.offset):
        kind = _SIZES[tensor.type]
        assert tensor.offset >= end
        end = tensor.offset + prod(tensor.shape) // kind.block * kind.size
    assert end <= path.stat().st_size


def _one_line(refusal: str) -> str:
    assert refusal.startswith("invalid GGUF file: ")
    assert "\n" not in refusal
    return refusal


def _read(path: Path) -> str:
    """`ok` or the refusal's text. Any other exception fails the test."""
    try:
        header = read_gguf_header(path)
    except BadRequest as error:
        return _one_line(str(error))
    _assert_inside(header, path)
    for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.scores"):
        if key in header.kv:
            assert len(header.read_array(path, key)) == 3
    return "ok"


def test_T11_every_number_of_a_header_may_lie(tmp_path: Path) -> None:
    path, cases, refused = tmp_path / "model.gguf", 0, 0
    for field in NUMBER_FIELDS:
        for value in _values(fields()[field]):
            path.write_bytes(gguf_bytes(replaced={field: value}))
            refused += _read(path) != "ok"
            cases += 1
    assert cases > 300
    assert refused > cases / 2


U64_MAX, U32_MAX = struct.pack("<Q", 2**64 - 1), struct.pack("<I", 2**32 - 1)
ZERO_32, ZERO_64 = struct.pack("<I", 0), struct.pack("<Q", 0)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("magic", b"PK\3\4", "magic"),
        ("version", struct.pack("<I", 4), "version"),
        ("version", ZERO_32, "version"),
        ("tensor_count", U64_MAX, "tensor_count"),
        ("metadata_kv_count", U64_MAX, "metadata_kv_count"),
        ("key general.architecture length", U64_MAX, "metadata key 0"),
        ("key general.architecture", b"general.architectur\xff", "metadata key 0"),
        ("general.architecture type", struct.pack("<I", 13), "general.architecture"),
        ("general.architecture[0] length", struct.pack("<Q", MAX_STRING + 1), "general.architecture"),
        ("llama.block_count[0] value", ZERO_32, "llama.block_count"),
        ("llama.block_count[0] value", struct.pack("<I", 4097), "llama.block_count"),
        ("tokenizer.ggml.tokens count", U64_MAX, "tokenizer.ggml.tokens"),
        ("tokenizer.ggml.tokens element type", struct.pack("<I", 9), "tokenizer.ggml.tokens"),
        ("tokenizer.ggml.tokens[1] length", U64_MAX, "tokenizer.ggml.tokens"),
        ("tokenizer.ggml.scores element type", struct.pack("<I", 4), "tokenizer.ggml.scores"),
        ("token_embd.weight dimensions", struct.pack("<I", 5), "token_embd.weight"),
        ("token_embd.weight dimensions", ZERO_32, "token_embd.weight"),
        ("token_embd.weight dimension 0", ZERO_64, "token_embd.weight"),
        ("token_embd.weight dimension 1", U64_MAX, "token_embd.weight"),
        ("blk.0.ffn.weight dimension 0", struct.pack("<Q", 33), "blk.0.ffn.weight"),
        ("token_embd.weight tensor type", U32_MAX, "token_embd.weight"),
        ("token_embd.weight tensor type", struct.pack("<I", 4), "token_embd.weight"),
        ("output.weight offset", U64_MAX, "output.weight"),
        ("output.weight offset", struct.pack("<Q", 31), "output.weight"),
        ("output.weight offset", ZERO_64, "output.weight"),
        ("data", b"", "tensor"),
    ],
)
def test_T11_a_lie_is_refused_by_the_name_of_its_field(tmp_path: Path, field: str, value: bytes, named: str) -> None:
    path = write_gguf(tmp_path / "model.gguf", replaced={field: value})
    with pytest.raises(BadRequest, match=re.escape(named)):
        read_gguf_header(path)


@pytest.mark.parametrize("alignment", [0, 3, 48, 2**32 - 1])
def test_T11_alignment_is_a_power_of_two(tmp_path: Path, alignment: int) -> None:
    path = write_gguf(tmp_path / "model.gguf", {**LLAMA, "general.alignment": alignment})
    with pytest.raises(BadRequest, match="alignment"):
        read_gguf_header(path)


def test_T11_another_alignment_is_used(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", {**LLAMA, "general.alignment": 128}, alignment=128)
    assert all(tensor.offset % 128 == 0 for tensor in read_gguf_header(path).tensors)


@pytest.mark.parametrize(
    ("kv", "named"),
    [
        ({"general.architecture": 1}, "general.architecture"),
        ({"general.alignment": "32"}, "general.alignment"),
        ({**LLAMA, "llama.block_count": "2"}, "llama.block_count"),
        ({**LLAMA, "tokenizer.ggml.tokens": 3}, "tokenizer.ggml.tokens"),
        ({**LLAMA, "tokenizer.ggml.scores": [0.0, 0.5]}, "tokenizer.ggml.scores"),
        ({**LLAMA, "tokenizer.ggml.token_type": [1]}, "tokenizer.ggml.token_type"),
    ],
)
def test_T11_keys_that_engines_trust_have_their_type_and_length(
    tmp_path: Path, kv: dict[str, object], named: str
) -> None:
    with pytest.raises(BadRequest, match=re.escape(named)):
        read_gguf_header(write_gguf(tmp_path / "model.gguf", kv))


def test_T11_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    twice = {"key llama.context_lengtX": b"llama.context_length"}
    path = write_gguf(tmp_path / "model.gguf", {**LLAMA, "llama.context_lengtX": 1}, replaced=twice)
    with pytest.raises(BadRequest, match=r"llama\.context_length: the key is there twice"):
        read_gguf_header(path)


def test_T11_a_tensor_given_twice_is_refused(tmp_path: Path) -> None:
    tensors = [*WEIGHTS, Tensor("output.weighX")]
    path = write_gguf(tmp_path / "model.gguf", tensors=tensors, replaced={"tensor output.weighX": b"output.weight"})
    with pytest.raises(BadRequest, match=r"tensor output\.weight: the name is there twice"):
        read_gguf_header(path)


def test_T11_every_truncation_is_refused(tmp_path: Path) -> None:
    whole, path = gguf_bytes(), tmp_path / "model.gguf"
    for length in range(len(whole) - 64):
        path.write_bytes(whole[:length])
        assert _read(path) != "ok", length


def test_T11_text_from_the_file_cannot_break_the_error_line(tmp_path: Path) -> None:
    key = "a\nb\x1b[31m" + "c" * 5000
    path = write_gguf(tmp_path / "model.gguf", {key: 1}, replaced={f"{key} type": U32_MAX})
    message = _read(path)
    assert message.isprintable()
    assert len(message) < 300


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutations") / "model.gguf"


SEEDS = [
    gguf_bytes(),
    gguf_bytes(version=2, order=">"),
    gguf_bytes({"general.architecture": "t"}, []),
    gguf_bytes(version=1),
]
EDITS = st.lists(
    st.tuples(
        st.integers(0, 900),
        st.one_of(
            st.binary(min_size=1, max_size=8), st.sampled_from([U64_MAX, U32_MAX, ZERO_32, ZERO_64, b"\xff\x7f"])
        ),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.sampled_from(SEEDS), edits=EDITS, cut=st.integers(0, 3000))
def test_T11_mutated_files_are_read_or_refused(
    scratch: Path, seed: bytes, edits: list[tuple[int, bytes, bool]], cut: int
) -> None:
    data = bytearray(seed)
    for at, piece, insert in edits:
        at = at % (len(data) + 1)
        data[at : at if insert else at + len(piece)] = piece
    scratch.write_bytes(data[: cut or None])
    try:
        header = read_gguf_header(scratch)
    except BadRequest:
        return
    _assert_inside(header, scratch)


@settings(max_examples=500, deadline=None)
@given(data=st.binary(max_size=200))
def test_T11_random_bytes_are_refused(scratch: Path, data: bytes) -> None:
    scratch.write_bytes(b"GGUF\3\0\0\0" + data)
    try:
        _assert_inside(read_gguf_header(scratch), scratch)
    except BadRequest:
        return


CHILD = """
import json, resource, sys, time
from pathlib import Path
from puna.errors import BadRequest
from puna.store import read_gguf_header
resource.setrlimit(resource.RLIMIT_AS, (512 * 2**20, 512 * 2**20))
before, slowest, texts = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0, []
for path in sorted(Path(sys.argv[1]).iterdir()):
    start = time.process_time()
    try:
        read_gguf_header(path)
        texts.append("ok")
    except BadRequest as error:
        texts.append(str(error))
    slowest = max(slowest, time.process_time() - start)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"grown_kib": after - before, "slowest_s": slowest, "texts": texts}))
"""


def test_T12_tiny_files_that_declare_huge_counts_cost_nothing(tmp_path: Path) -> None:
    kv = {"general.architecture": "llama", "s": "text", "a": ["x"], "n": [1]}
    small = {"kv": kv, "tensors": [Tensor("t")]}
    lies = ["tensor_count", "metadata_kv_count", "a count", "n count", "t dimension 0"]
    lies += ["key s length", "s[0] length", "a[0] length"]
    files = 0
    for field in lies:
        for bits in (31, 40, 63):
            data = gguf_bytes(**small, replaced={field: struct.pack("<Q", 2**bits)})
            assert len(data) < 1000
            (tmp_path / f"{files:02}.gguf").write_bytes(data)
            files += 1
    assert files == 24
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    report = json.loads(child.stdout)
    assert len(report["texts"]) == 24
    assert all(text.startswith("invalid GGUF file: ") for text in report["texts"])
    assert report["grown_kib"] < 32 * 1024
    assert report["slowest_s"] < 1


def test_T03_a_fifo_or_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/zero")):
        with pytest.raises(StoreError, match="not a regular file"):
            read_gguf_header(path)
