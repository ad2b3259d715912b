"""Making models through `/api/create` (contract ollama-http §3.9, ollama-store §4), and using them afterwards."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import tiny_models
from tests.servers import Answer, Server

GREEDY = {"num_predict": 8, "temperature": 0}


def upload(server: Server, data: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert server.request("POST", f"/api/blobs/{digest}", data).status in (200, 201)
    return digest


def has_blob(server: Server, digest: str) -> bool:
    return server.request("HEAD", f"/api/blobs/{digest}").status == 200


def create(server: Server, model: str, **fields: Any) -> Answer:
    return server.post("/api/create", {"model": model, "stream": False, **fields})


def made(server: Server, model: str, **fields: Any) -> None:
    answer = create(server, model, **fields)
    assert (answer.status, answer.json) == (200, {"status": "success"})


def show(server: Server, model: str) -> Any:
    return server.post("/api/show", {"model": model}).json


def said(server: Server, model: str, **fields: Any) -> str:
    body = {"model": model, "prompt": "grass", "stream": False, "options": GREEDY, **fields}
    answer = server.post("/api/generate", body)
    assert answer.status == 200, answer.body
    return str(answer.json["response"])


def names(server: Server) -> set[str]:
    return {model["name"] for model in server.get("/api/tags").json["models"]}


def blobs(server: Server) -> set[str]:
    return {path.name for path in (server.models / "blobs").iterdir()}


def layers(lines: list[Any]) -> list[str]:
    return [line["status"].rpartition(" ")[2] for line in lines if " layer sha256:" in line["status"]]


def test_a_single_file_keeps_its_blob_and_answers(server: Server, tiny_llama: Path) -> None:
    digest = upload(server, tiny_llama.read_bytes())
    lines = server.post("/api/create", {"model": "single", "files": {"a.gguf": digest}}).lines
    assert lines[0] == {"status": "parsing GGUF"}
    assert layers(lines) == [digest]
    assert [line["status"] for line in lines[-2:]] == ["writing manifest", "success"]
    assert said(server, "single") == said(server, "M")


def test_status_lines_come_in_the_contracts_order(server: Server) -> None:
    body = {"model": "ordered", "from": "M", "template": "{{ .Prompt }}!", "system": "s", "license": ["l"],
            "parameters": {"seed": 1}, "messages": [{"role": "user", "content": "x"}]}  # fmt: skip
    answer = server.post("/api/create", body)
    assert answer.headers["content-type"] == "application/x-ndjson"
    statuses = [line["status"] for line in answer.lines]
    assert statuses[0] == "verifying conversion"
    assert statuses[1].startswith("using existing layer sha256:")
    assert all(status.startswith(("creating new layer", "using existing layer")) for status in statuses[1:-2])
    assert len(statuses) == 1 + 6 + 2  # weights, template, system, license, params, messages
    assert statuses[-2:] == ["writing manifest", "success"]


def test_a_split_model_is_joined_and_answers(server: Server, tiny_llama: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(tiny_llama, tmp_path / "model.gguf"))
    parts = tiny_models.split_gguf(copy, 3)
    assert len(parts) == 3
    files = {part.name: upload(server, part.read_bytes()) for part in parts}
    lines = server.post("/api/create", {"model": "joined", "files": files}).lines
    assert [line["status"] for line in lines[:3]] == ["parsing GGUF"] * 3
    assert lines[-1] == {"status": "success"}
    assert len(layers(lines)) == 1
    assert said(server, "joined") == said(server, "M")
    missing = dict(list(files.items())[:2])
    refused = create(server, "half", files=missing)
    assert (refused.status, "all parts from 1 to 3" in refused.json["error"]) == (400, True)


def test_an_adapter_changes_the_answer_and_not_the_base(server: Server, tiny_lora: Path) -> None:
    digest = upload(server, tiny_lora.read_bytes())
    made(server, "adapted", **{"from": "M", "adapters": {"lora.gguf": digest}})
    before = said(server, "M")
    assert said(server, "adapted") != before
    assert said(server, "M") == before
    assert f"ADAPTER {server.models}" in show(server, "adapted")["modelfile"]
    wrong = create(server, "x", **{"from": "M", "adapters": {"a.gguf": digest, "b.gguf": digest}})
    assert (wrong.status, wrong.json) == (400, {"error": "only one adapter is currently supported"})


def test_everything_at_once_and_inherited_by_the_next(server: Server) -> None:
    presets = [{"role": "user", "content": "who?"}, {"role": "assistant", "content": "Mario"}]
    made(
        server, "mario",
        **{"from": "M", "system": "You are Mario.", "template": "{{ range .Messages }}{{ .Content }}{{ end }}",
           "parameters": {"temperature": 0, "stop": ["a", "b"], "num_predict": 5}, "license": ["one", "two"],
           "messages": presets},
    )  # fmt: skip
    made(
        server, "luigi", **{"from": "mario", "system": "You are Luigi.", "parameters": {"stop": ["c"]}, "license": "x"}
    )
    mario, luigi = show(server, "mario"), show(server, "luigi")
    assert (mario["system"], luigi["system"]) == ("You are Mario.", "You are Luigi.")
    assert (mario["license"], luigi["license"]) == ("one\ntwo", "one\ntwo\nx")
    assert mario["messages"] == luigi["messages"] == presets
    assert mario["template"] == luigi["template"]
    assert set(mario["parameters"].splitlines()) == {
        f'{"stop":<30} "a"', f'{"stop":<30} "b"', f'{"temperature":<30} 0', f'{"num_predict":<30} 5',
    }  # fmt: skip
    assert set(luigi["parameters"].splitlines()) == {
        f'{"stop":<30} "c"', f'{"temperature":<30} 0', f'{"num_predict":<30} 5',
    }  # fmt: skip
    assert luigi["details"]["parent_model"] == "mario:latest"
    answer = server.post("/api/generate", {"model": "mario", "prompt": "x", "stream": False}).json
    assert answer["eval_count"] <= 5


def test_parameters_are_not_checked_before_they_are_used(server: Server) -> None:
    made(server, "mistyped", **{"from": "M", "parameters": {"seed": "one"}})
    answer = server.post("/api/generate", {"model": "mistyped", "prompt": "x"})
    assert (answer.status, answer.json) == (500, {"error": 'option "seed" must be of type integer'})


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"quantize": "q4_k_m"}, 500, "PUNA_LLAMA_QUANTIZE"),
        ({"quantization": "Q8_0"}, 500, "PUNA_LLAMA_QUANTIZE"),
        ({"quantize": "Q3_X"}, 500, "unsupported quantization type Q3_X - supported types are "),
        ({"info": {"context_length": -1}}, 400, 'info field "context_length" must be a non-negative integer'),
        ({"draft_quantize": "Q8_0"}, 400, "--draft-quantize requires a DRAFT model"),
        ({"template": "{{ .Prompt"}, 400, "template error: "),
        ({"messages": [{"role": "king", "content": "x"}]}, 400, "message role must be one of"),
        ({"from": "nowhere"}, 500, "pull model manifest: "),
        ({"from": "../x"}, 400, "invalid model name"),
        ({"from": "M", "adapters": {"a": ""}}, 400, "invalid digest format"),
        ({"from": "", "files": {"a.gguf": "sha256:" + "0" * 64}}, 400, "upload it first"),
    ],
)
def test_a_failed_create_says_why_in_one_line_and_leaves_nothing(
    server: Server, fields: dict[str, Any], status: int, words: str
) -> None:
    before = names(server), blobs(server)
    answer = create(server, "never", **{"from": "M", "system": "only of this create", **fields})
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert words in answer.json["error"]
    assert "\n" not in answer.json["error"]
    assert (names(server), blobs(server)) == before


@pytest.mark.parametrize("name", ["model.safetensors", "model.bin", "notes.txt", "model.gguf"])
def test_other_formats_are_refused(server: Server, name: str) -> None:
    digest = upload(server, b"\x08\0\0\0\0\0\0\0{}      ")
    answer = create(server, "never", files={name: digest})
    assert (answer.status, list(answer.json)) == (400, ["error"])
    if name == "model.safetensors":
        assert "convert" in answer.json["error"]
    assert "never:latest" not in names(server)


def test_an_existing_name_is_found_whatever_its_case(server: Server) -> None:
    made(server, "Casey", **{"from": "M", "system": "one"})
    made(server, "cAsEy", **{"from": "m", "system": "two"})
    assert [name for name in names(server) if name.lower() == "casey:latest"] == ["Casey:latest"]
    assert show(server, "CASEY")["system"] == "two"


def test_what_a_replaced_model_alone_needed_is_deleted(server: Server) -> None:
    old, new = ("only of the old model", "only of the new model")
    digests = [f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" for text in (old, new)]
    made(server, "replaced", **{"from": "M", "system": old})
    assert [has_blob(server, digest) for digest in digests] == [True, False]
    made(server, "replaced", **{"from": "M", "system": new})
    assert [has_blob(server, digest) for digest in digests] == [False, True]
    assert said(server, "replaced")


def test_weights_stay_while_a_model_answers_from_them(server: Server, tmp_path: Path) -> None:
    """Replaced in mid-stream: the answer goes on to its end, and only then the old weights are deleted."""
    weights = tiny_models.tiny_llama(tmp_path, name="short-lived", layers=1)
    server.create("lived", weights)
    digest = f"sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()}"
    lines = server.stream("/api/generate", {"model": "lived", "prompt": "x", "options": {"num_predict": 600}})
    next(lines)
    made(server, "lived", **{"from": "M"})
    assert has_blob(server, digest)
    rest = list(lines)
    assert rest[-1]["done"] is True
    assert rest[-1]["eval_count"] == 600
    assert said(server, "lived") == said(server, "M")
    assert not has_blob(server, digest)


def test_a_streamed_mistake_before_the_first_line_is_a_real_status(server: Server) -> None:
    answer = server.post("/api/create", {"model": "x", "from": "M", "template": "{{ if"})
    assert answer.status == 400
    assert answer.json["error"].startswith("template error: ")
