"""Hostile names, digests, paths, files and options sent to the real server (threats T01, T03, T11, T12, T15, T18, T27).

Every test ends with the two invariants of the threat list: the server still answers, and nothing outside its store changed.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Answer, Server

HEX = "0" * 64
HOSTILE_DIGESTS = [
    "sha256:../../../x", "sha256:/etc/passwd", "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha512:" + HEX,
    "sha256:" + "0" * 63 + "%00", "sha256:%2e%2e%2fx", "sha256:..\\..\\x", "sha256:", "sha256:" + "a" * 10_000,
    "sha256:" + HEX + "%0a", HEX,
]  # fmt: skip
HOSTILE_NAMES = [
    "..", ".", "../x", "../../etc/passwd", "/etc/passwd", "a/../b", "a/b/../c", "a//b", ".hidden", "-rf", "--help", "a\x00b",
    "a b", "a\tb", "a\nb", "a%2fb", "a\\b", "C:\\x", "a:b:c/d", "m@sha256:" + HEX, "\u0430", "\u2024\u2024/x", "a" * 81, "n/" + "a" * 81,
    "h/n/m:t/../../x", "m:..", "m:-x", "$(id)", ";id", "`id`", "|id", "m:", ":t", "//", "n//m", "\u202em", "m:\u00e9", "a/b/c/d",
    "host:5000/foo", "file:///etc/passwd",
]  # fmt: skip


@pytest.fixture(autouse=True)
def invariants(server: Server) -> Iterator[None]:
    watched = server.home.parent
    before = _outside(watched, server.models)
    yield
    assert server.get("/api/version").status == 200
    assert _outside(watched, server.models) == before


def _outside(folder: Path, store: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*"):
        if not path.is_relative_to(store) and path.is_file() and path.name != "server.log":
            found.add(str(path))
    return found


@pytest.mark.parametrize("digest", HOSTILE_DIGESTS)
@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_T01_a_blob_route_takes_digests_only(server: Server, method: str, digest: str) -> None:
    answer = server.request(method, f"/api/blobs/{digest}", b"x" if method == "POST" else None)
    assert answer.status in (400, 404), answer.status


def test_T01_the_normal_form_of_a_digest_is_found(server: Server) -> None:
    data = b"normal form"
    digest = hashlib.sha256(data).hexdigest()
    assert server.request("HEAD", f"/api/blobs/sha256:{digest}").status == 404
    assert server.request("POST", f"/api/blobs/sha256-{digest.upper()}", data).status == 201
    assert server.request("HEAD", f"/api/blobs/sha256:{digest}").status == 200
    assert server.request("POST", f"/api/blobs/sha256:{digest}", b"anything").status == 200
    wrong = server.request("POST", f"/api/blobs/sha256:{HEX}", data)
    assert wrong.status == 400
    assert wrong.json == {"error": f'digest mismatch, expected "sha256:{HEX}", got "sha256:{digest}"'}
    assert server.request("HEAD", f"/api/blobs/sha256:{HEX}").status == 404


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_T01_T27_a_hostile_name_is_refused_on_every_route(server: Server, name: str) -> None:
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/api/generate", {"model": name, "prompt": "x"}),
        ("POST", "/api/chat", {"model": name}),
        ("POST", "/api/embed", {"model": name, "input": "x"}),
        ("POST", "/api/embeddings", {"model": name}),
        ("POST", "/api/show", {"model": name}),
        ("DELETE", "/api/delete", {"model": name}),
        ("POST", "/api/copy", {"source": name, "destination": "x"}),
        ("POST", "/api/copy", {"source": "M", "destination": name}),
        ("POST", "/api/pull", {"model": name}),
        ("POST", "/api/push", {"model": name}),
        ("POST", "/api/verify", {"model": name}),
        ("POST", "/api/outdated", {"models": [name]}),
        ("POST", "/api/create", {"model": name, "from": "M"}),
        ("POST", "/api/create", {"model": "x", "from": name}),
    ]
    for method, path, body in requests:
        answer = server.request(method, path, body)
        refused = answer.status in (400, 404) or (answer.status == 500 and body.get("from") == name)
        assert refused or "error" in answer.lines[-1], (path, answer.status, answer.body)


def test_T03_a_path_that_exists_answers_as_one_that_does_not(server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("FROM M")
    os.mkfifo(tmp_path / "fifo")
    present = ["/etc/passwd", "/etc", "/dev/zero", "/proc/self/mem", str(tmp_path / "fifo"), str(tmp_path), "~", "/"]
    absent = [
        "/etc/nothing",
        "/nothing/at/all",
        str(tmp_path / "absent"),
        "relative",
        "\u0000",
        "a" * 5000,
        "~nobody/x",
    ]

    def stripped(answer: Answer, path: str) -> tuple[int, bytes]:
        return answer.status, answer.body.replace(path.encode(), b"")

    for body in ({"name": "x", "path": "?"}, {"model": "x", "from": "?"}):
        key = "path" if "path" in body else "from"
        answers = {stripped(server.post("/api/create", {**body, key: path}), path) for path in (*present, *absent)}
        if key == "path":
            assert len(answers) == 1
        for status, text in answers:
            assert status in (200, 400, 500)
            assert b"error" in text
            assert str(server.models).encode() not in text
            assert str(server.home).encode() not in text


def test_seed_002_a_modelfile_on_the_servers_disk(server: Server, tmp_path: Path) -> None:
    modelfile = tmp_path / "Modelfile"
    modelfile.write_text("FROM M\nSYSTEM You are Mario.\nPARAMETER temperature 1\n")
    lines = server.post("/api/create", {"name": "mario", "path": str(modelfile)}).lines
    assert lines[-1] == {"status": "success"}
    assert server.post("/api/show", {"name": "mario"}).json["system"] == "You are Mario."
    modelfile.write_text("FROM M\n" + "#" * (1 << 20))
    assert server.post("/api/create", {"name": "mario", "path": str(modelfile)}).status == 400
    proxied = server.request(
        "POST", "/api/create", {"name": "x", "path": str(modelfile)}, headers={"X-Forwarded-For": "8.8.8.8"}
    )
    assert proxied.status == 400


def test_the_text_of_a_modelfile(server: Server) -> None:
    body = {"name": "luigi", "modelfile": 'FROM M\nSYSTEM """You are Luigi."""\nMESSAGE user hi\n', "stream": False}
    assert server.post("/api/create", body).json == {"status": "success"}
    shown = server.post("/api/show", {"name": "luigi"}).json
    assert shown["system"] == "You are Luigi."
    assert shown["messages"] == [{"role": "user", "content": "hi"}]
    refused = server.post("/api/create", {"name": "x", "modelfile": "FROM /etc/passwd"})
    assert refused.status == 400
    assert server.post("/api/create", {"name": "x", "modelfile": "SYSTEM x"}).status == 400


def _upload(server: Server, data: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert server.request("POST", f"/api/blobs/{digest}", data).status in (200, 201)
    return digest


def _gguf(*, version: int = 3, tensors: int = 0, keys: int = 0, body: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + body


BIG = 2**63 - 1
HOSTILE_GGUF = {
    "four bytes": b"GGUF",
    "nothing behind the magic": b"GGUF\x03\0\0\0",
    "version": _gguf(version=99),
    "tensor count": _gguf(tensors=BIG),
    "key count": _gguf(keys=BIG),
    "key length": _gguf(keys=1, body=struct.pack("<Q", BIG)),
    "array length": _gguf(keys=1, body=struct.pack("<Q1sIIQ", 1, b"k", 9, 8, BIG)),
    "alignment 0": _gguf(keys=1, body=struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<II", 4, 0)),
    "dimensions": _gguf(tensors=1, body=struct.pack("<Q1sI", 1, b"t", 1000)),
}


@pytest.mark.parametrize("data", HOSTILE_GGUF.values(), ids=HOSTILE_GGUF.keys())
def test_T11_T12_a_hostile_gguf_is_refused_before_the_engine_sees_it(server: Server, data: bytes) -> None:
    digest = _upload(server, data)
    answer = server.post("/api/create", {"model": "bad", "files": {"m.gguf": digest}, "stream": False})
    assert answer.status == 400, answer.body
    assert server.post("/api/show", {"model": "bad"}).status == 404


def test_T11_weights_that_the_engine_cannot_load_are_an_error_of_one_request(server: Server, tiny_llama: Path) -> None:
    """A header that is fine with tensors that make no model: the engine refuses, everybody else goes on."""
    from gguf import GGUFWriter

    path = server.home / "odd.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    data = path.read_bytes()
    path.unlink()
    digest = _upload(server, data)
    created = server.post("/api/create", {"model": "odd", "files": {"odd.gguf": digest}, "stream": False})
    if created.status == 200:
        answer = server.post("/api/generate", {"model": "odd", "prompt": "x"})
        assert answer.status == 500
        assert "Traceback" not in answer.json["error"]
        server.request("DELETE", "/api/delete", {"model": "odd"})
    assert (
        server.post(
            "/api/generate", {"model": "M", "prompt": "x", "stream": False, "options": {"num_predict": 1}}
        ).status
        == 200
    )


@pytest.mark.parametrize("key", ["../a", "/a", "a/../../b", "C:\\a", "a\x00b"])
def test_T02_file_names_of_create_are_plain(server: Server, key: str, tiny_llama: Path) -> None:
    digest = _upload(server, tiny_llama.read_bytes())
    answer = server.post("/api/create", {"model": "x", "files": {key: digest}})
    assert (answer.status, answer.json) == (400, {"error": "file path must be relative"})


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pkl", "model.zip", "model.safetensors"])
def test_T15_files_that_are_programs_are_never_read(server: Server, name: str, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    pickled = b"cposix\nsystem\n(S'touch " + str(flag).encode() + b"'\ntR."
    digest = _upload(server, pickled)
    answer = server.post("/api/create", {"model": "x", "files": {name: digest}, "stream": False})
    assert answer.status == 400
    assert answer.json["error"]
    assert not flag.exists()


OPTION_VALUES = [-2, -1, 0, 1, 2**31, 2**63, -(2**63), 1e308, -1e308, 0.5, "", "1", True, None, [], {}]
OPTIONS = [
    "num_keep", "seed", "num_predict", "top_k", "top_p", "min_p", "typical_p", "repeat_last_n", "temperature",
    "repeat_penalty", "presence_penalty", "frequency_penalty", "stop", "mirostat", "n_discard", "n_probs",
]  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
def test_T18_an_odd_option_never_harms_the_engine(server: Server, option: str) -> None:
    bounded: list[Any] = [0, 1, 0.5, "", "1", True, [], {}]  # the rest asks for ten contexts, see below
    for value in bounded if option == "num_predict" else OPTION_VALUES:
        options = {"num_predict": 2, option: value}
        answer = server.post("/api/generate", {"model": "M", "prompt": "x", "stream": False, "options": options})
        assert answer.status in (200, 400, 500), (option, value)
        if answer.status == 500:
            assert "must be of type" in answer.json["error"] or "must be of an array" in answer.json["error"], (
                answer.body
            )


@pytest.mark.parametrize("limit", [-2, -1, 2**31, 2**63, -(2**63), 1e308])
def test_T18_an_answer_without_a_limit_still_ends(server: Server, limit: float) -> None:
    """Whatever `num_predict` says, an answer is over after ten contexts."""
    body = {"model": "M", "prompt": "x", "stream": False, "options": {"num_ctx": 16, "num_predict": limit}}
    answer = server.post("/api/generate", body)
    if answer.status == 200:
        assert answer.json["eval_count"] <= 10 * 256  # the engine's smallest context
        assert answer.json["done_reason"] == "length"
    else:
        assert (answer.status, "num_predict" in answer.json["error"]) == (400, True)


@pytest.mark.parametrize("option", ["num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread"])
def test_T18_an_odd_load_option_is_refused_or_served(server: Server, option: str) -> None:
    for value in (-(2**63), 2**63, 2**31, -7, "1", [], 1e308):
        body = {"model": "M", "prompt": "x", "stream": False, "options": {"num_predict": 1, option: value}}
        answer = server.post("/api/generate", body)
        assert answer.status in (200, 400, 500), (option, value)
        if answer.status == 500:
            assert "must be of type" in answer.json["error"], (option, value, answer.body)


SCANNED = ["/.env", "/admin", "/debug/pprof/", "/.git/config", "/server-status", "/api", "/api/../etc/passwd",
           "/docs", "/redoc", "/slots", "/props", "/console", "/wp-login.php", "/%2e%2e/%2e%2e/etc/passwd"]  # fmt: skip


@pytest.mark.parametrize("path", SCANNED)
def test_T27_unknown_paths_are_404(server: Server, path: str) -> None:
    assert server.get(path).status == 404
