"""What clients of 2023 send and read, and the exact shape of every answer (contract ollama-http §3, §11, seed 002)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.servers import Server

CREATED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z")
DURATIONS = [
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
]
OPTIONS = {"num_predict": 3, "seed": 1}
HI = [{"role": "user", "content": "hi"}]


def generate(server: Server, **fields: Any) -> Any:
    body = {"model": "M", "prompt": "hi", "stream": False, "options": OPTIONS, **fields}
    answer = server.post("/api/generate", body)
    assert answer.status == 200, answer.body
    return answer.json


def lines_of(server: Server, path: str, **fields: Any) -> list[Any]:
    answer = server.post(path, {"model": "M", "options": OPTIONS, **fields})
    assert answer.headers["content-type"] == "application/x-ndjson"
    return answer.lines


def test_the_session_of_2023(server: Server) -> None:
    """§11.3 without its pull, which comes with the registry."""
    assert server.get("/").body == b"Ollama is running"
    shown = server.post("/api/show", {"name": "M"}).json
    assert all(
        isinstance(shown.get(key, ""), str) for key in ("license", "modelfile", "parameters", "template", "system")
    )
    first = lines_of(server, "/api/generate", prompt="My name is Puna.")[-1]
    assert first["done"] is True
    second = lines_of(server, "/api/generate", prompt="What is it?", context=first["context"])[-1]
    assert second["prompt_eval_count"] > len(first["context"])
    embedded = server.post("/api/embeddings", {"model": "E", "prompt": "hi", "options": {"embedding_only": True}})
    assert len(embedded.json["embedding"]) == 64
    assert server.post("/api/copy", {"source": "M", "destination": "M-copy"}).body == b""
    deleted = server.request("DELETE", "/api/delete", {"name": "M-copy"})
    assert (deleted.status, deleted.body) == (200, b"")
    assert server.request("DELETE", "/api/delete", {"name": "M-copy"}).status == 404


def test_name_is_an_alias_and_model_wins(server: Server) -> None:
    assert server.post("/api/show", {"name": "M"}).json["details"]["family"] == "llama"
    assert server.post("/api/show", {"name": "M", "model": "E"}).json["details"]["family"] == "bert"
    assert server.post("/api/show", {"name": "M", "model": None}).json["details"]["family"] == "llama"
    created = server.post("/api/create", {"name": "aliased", "from": "M", "stream": False})
    assert created.json == {"status": "success"}
    assert server.request("DELETE", "/api/delete", {"name": "aliased"}).status == 200
    for path, method in (("/api/show", "POST"), ("/api/delete", "DELETE")):
        assert server.request(method, path, {"name": ""}).json == {"error": "model is required"}


def test_the_legacy_embedding_has_both_keys(server: Server) -> None:
    for options in ({}, {"embedding_only": True}, {"embedding_only": False}, {"embedding_only": "x"}):
        answer = server.post("/api/embeddings", {"model": "E", "prompt": "the sky", "options": options}).json
        assert list(answer) == ["embedding", "embeddings"]
        assert answer["embedding"] == answer["embeddings"]
        assert all(isinstance(number, float) for number in answer["embedding"])
    assert server.post("/api/embeddings", {"model": "E", "prompt": ""}).json == {"embedding": [], "embeddings": []}
    assert server.post("/api/embeddings", {"model": "E"}).json == {"embedding": [], "embeddings": []}


OLD_OPTIONS = {
    "mirostat": 1, "mirostat_tau": 0.8, "mirostat_eta": 0.6, "tfs_z": 0.5, "penalize_newline": True, "numa": False,
    "num_gqa": 1, "low_vram": False, "f16_kv": True, "logits_all": False, "vocab_only": False, "use_mlock": False,
    "embedding_only": False, "rope_frequency_base": 1.1, "rope_frequency_scale": 0.8,
}  # fmt: skip


def test_option_names_of_old_are_ignored_whatever_they_hold(server: Server) -> None:
    plain = generate(server)["response"]
    assert generate(server, options={**OPTIONS, **OLD_OPTIONS})["response"] == plain
    assert generate(server, options={**OPTIONS, **dict.fromkeys(OLD_OPTIONS, "nonsense")})["response"] == plain
    assert generate(server, options={**OPTIONS, **dict.fromkeys(OLD_OPTIONS)})["response"] == plain


def test_empties_and_nulls_of_old_libraries_mean_unset(server: Server) -> None:
    plain = generate(server)
    empty = {"system": "", "template": "", "context": [], "images": [], "format": "", "raw": False, "suffix": ""}
    assert generate(server, **empty)["response"] == plain["response"]
    nulls = dict.fromkeys((*empty, "keep_alive", "think", "truncate", "shift", "logprobs", "top_logprobs"))
    assert generate(server, **nulls)["response"] == plain["response"]
    assert server.post("/api/generate", {"model": "M", "options": {}}).json["done_reason"] == "load"
    assert server.post("/api/generate", {"model": "M", "prompt": None, "options": None}).json["done_reason"] == "load"
    chat = {"model": "M", "messages": HI, "stream": False, "options": OPTIONS}
    answer = server.post("/api/chat", chat).json["message"]
    old = {"format": "", "tools": [], "keep_alive": None, "template": "", "options": {**OPTIONS, "stop": None}}
    assert server.post("/api/chat", {**chat, **old}).json["message"] == answer
    messages = [{**HI[0], "images": [], "tool_calls": None}]
    assert server.post("/api/chat", {**chat, "messages": messages}).json["message"] == answer


def test_show_has_no_empty_strings(server: Server) -> None:
    shown = server.post("/api/show", {"name": "M"}).json
    assert not {"license", "parameters", "system", "messages"} & shown.keys()
    first, second, third, blank, weights = shown["modelfile"].splitlines()[:5]
    assert first == '# Modelfile generated by "ollama show"'
    assert second == "# To build a new Modelfile based on this, replace FROM with:"
    assert (third, blank) == ("# FROM M:latest", "")
    assert weights.startswith("FROM ")
    order = ["license", "modelfile", "parameters", "template", "system", "details", "messages", "model_info",
             "projector_info", "tensors", "capabilities", "modified_at", "requires", "runtime", "origin", "warnings"]  # fmt: skip
    assert list(shown) == [key for key in order if key in shown]


def test_a_tag_has_its_fields_in_order(server: Server) -> None:
    (tag,) = (tag for tag in server.get("/api/tags").json["models"] if tag["name"] == "M:latest")
    assert list(tag) == ["name", "model", "modified_at", "size", "digest", "details", "capabilities"]
    assert list(tag["details"])[:6] == [
        "parent_model", "format", "family", "families", "parameter_size", "quantization_level",
    ]  # fmt: skip


def known(answer: dict[str, Any]) -> list[str]:
    """The fields that the reference has too; Puna adds one where a part of the prompt came from its cache."""
    assert answer.get("prompt_eval_cached_count", 0) <= answer["prompt_eval_count"]
    return [key for key in answer if key != "prompt_eval_cached_count"]


def test_the_object_of_generate(server: Server) -> None:
    answer = generate(server)
    assert known(answer) == ["model", "created_at", "response", "done", "done_reason", "context", *DURATIONS]
    assert CREATED_AT.fullmatch(answer["created_at"])
    assert all(isinstance(answer[key], int) and answer[key] > 0 for key in DURATIONS)
    assert answer["total_duration"] >= answer["load_duration"]
    assert len(answer["context"]) == answer["prompt_eval_count"] + answer["eval_count"]
    with_logprobs = generate(server, logprobs=True)
    assert known(with_logprobs) == [*known(answer), "logprobs"]
    assert "context" not in generate(server, raw=True)


def test_the_object_of_chat(server: Server) -> None:
    body = {"model": "M", "messages": HI, "stream": False, "options": OPTIONS}
    answer = server.post("/api/chat", body).json
    assert known(answer) == ["model", "created_at", "message", "done", "done_reason", *DURATIONS]
    assert list(answer["message"]) == ["role", "content"]
    assert CREATED_AT.fullmatch(answer["created_at"])
    with_logprobs = server.post("/api/chat", {**body, "logprobs": True}).json
    assert known(with_logprobs) == ["model", "created_at", "message", "done", "done_reason", "logprobs", *DURATIONS]


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat"])
def test_the_lines_of_a_stream(server: Server, path: str) -> None:
    said = "response" if path == "/api/generate" else "message"
    *lines, last = lines_of(server, path, prompt="hi", messages=HI)
    assert len(lines) >= 3
    for line in lines:
        assert list(line) == ["model", "created_at", said, "done"]
        assert line["done"] is False
    assert last["done"] is True
    context = ["context"] if path == "/api/generate" else []
    assert known(last) == ["model", "created_at", said, "done", "done_reason", *context, *DURATIONS]
    assert all(CREATED_AT.fullmatch(line["created_at"]) for line in (*lines, last))
    assert last[said] in ("", {"role": "assistant", "content": ""})
    assert not {"sample_count", "sample_duration"} & last.keys()  # only sent where they are measured


def test_streamed_and_whole_answers_say_the_same(server: Server) -> None:
    whole = generate(server)
    lines = lines_of(server, "/api/generate", prompt="hi")
    assert "".join(line["response"] for line in lines) == whole["response"]
    assert lines[-1]["context"] == whole["context"]


def test_the_model_is_echoed_as_it_was_sent(server: Server) -> None:
    for name in ("M", "m:LATEST", "library/M", "registry.ollama.ai/library/M:latest"):
        assert generate(server, model=name)["model"] == name
        assert server.post("/api/embed", {"model": name, "input": "x"}).json["model"] == name


def test_load_and_unload_answers_have_no_counters(server: Server) -> None:
    for body in ({}, {"keep_alive": 0}):
        generated = server.post("/api/generate", {"model": "M", **body}).json
        assert list(generated) == ["model", "created_at", "response", "done", "done_reason"]
        chatted = server.post("/api/chat", {"model": "M", **body}).json
        assert list(chatted) == ["model", "created_at", "message", "done", "done_reason"]


def test_the_object_of_embed(server: Server) -> None:
    answer = server.post("/api/embed", {"model": "E", "input": ["the sky", ""]}).json
    assert list(answer) == ["model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"]
    assert len(answer["embeddings"]) == 2
    for nothing in ({}, {"input": None}, {"input": ""}, {"input": []}):
        assert server.post("/api/embed", {"model": "E", **nothing}).json == {"model": "E", "embeddings": []}


def test_keys_are_found_whatever_their_case(server: Server) -> None:
    body = {"Model": "M", "PROMPT": "hi", "Stream": False, "Options": OPTIONS}
    assert server.post("/api/generate", body).json["response"] == generate(server)["response"]
    assert server.post("/api/generate", {**body, "model": "E"}).status == 400  # the exact key first


def test_half_a_character_is_a_replacement_character(server: Server) -> None:
    for prompt in (rb'"a\ud83d"', rb'"\ude00b"', b'"a\xff"'):
        raw = b'{"model":"M","raw":true,"stream":false,"_debug_render_only":true,"prompt":' + prompt + b"}"
        answer = server.post("/api/generate", raw)
        assert answer.status == 200, answer.body
        assert "\ufffd" in answer.json["_debug_info"]["rendered_template"]
    whole = b'{"model":"M","raw":true,"_debug_render_only":true,"prompt":"\\ud83d\\ude00"} trailing'
    assert server.post("/api/generate", whole).json["_debug_info"]["rendered_template"] == "\U0001f600"
