"""`/v1/models` and `/v1/embeddings` as bytes (contract ollama-http §6.4, §6.5)."""

from __future__ import annotations

import base64
import struct
from datetime import datetime
from urllib.parse import quote

import pytest

from tests.servers import Server


def test_the_list_is_that_of_the_tags(server: Server) -> None:
    rows = server.get("/v1/models").json
    tags = server.get("/api/tags").json["models"]
    assert rows["object"] == "list"
    assert [row["id"] for row in rows["data"]] == [tag["name"] for tag in tags]
    for row, tag in zip(rows["data"], tags, strict=True):
        assert list(row) == ["id", "object", "created", "owned_by"]
        assert row["created"] == int(datetime.fromisoformat(tag["modified_at"]).timestamp())


@pytest.mark.parametrize("asked", ["M", "M:latest", "library/M", "registry.ollama.ai/library/M:latest"])
def test_a_model_by_any_of_its_names(server: Server, asked: str) -> None:
    for path in (asked, quote(asked, safe="")):
        answer = server.get(f"/v1/models/{path}")
        assert answer.status == 200
        assert (answer.json["id"], answer.json["owned_by"]) == (asked, "library")


def test_the_owner_is_the_namespace(server: Server) -> None:
    assert server.post("/api/copy", {"source": "M", "destination": "ada/llama:small"}).status == 200
    assert server.get("/v1/models/ada/llama:small").json["owned_by"] == "ada"


def test_a_model_that_is_not_there(server: Server) -> None:
    for asked, told in (("nope", "nope:latest"), ("ada/nope:small", "ada/nope:small")):
        answer = server.get(f"/v1/models/{asked}")
        error = {"message": f"model '{told}' not found", "type": "not_found_error", "param": None, "code": None}
        assert (answer.status, answer.json) == (404, {"error": error})


@pytest.mark.parametrize("asked", ["..", "a//b", "%00", "a%20b", "../../etc/passwd"])
def test_T01_a_name_that_is_none_is_refused(server: Server, asked: str) -> None:
    assert server.get(f"/v1/models/{asked}").status == 400


def test_a_trailing_slash_leads_to_the_list(server: Server) -> None:
    answer = server.get("/v1/models/")
    assert (answer.status, answer.headers["location"]) == (301, "/v1/models")


def test_V28_nothing_to_embed(server: Server) -> None:
    for body in ({"input": []}, {"input": None}, {}):
        answer = server.post("/v1/embeddings", {"model": "E", **body})
        assert (answer.status, answer.json["error"]["message"]) == (400, "invalid input")


def test_embeddings_in_the_order_of_the_contract(server: Server) -> None:
    found = server.post("/v1/embeddings", {"model": "E", "input": ["grass", "sky"]}).json
    assert list(found) == ["object", "data", "model", "usage"]
    assert (found["object"], found["model"]) == ("list", "E")
    assert [list(row) for row in found["data"]] == [["object", "embedding", "index"]] * 2
    native = server.post("/api/embed", {"model": "E", "input": ["grass", "sky"]}).json
    assert [row["embedding"] for row in found["data"]] == native["embeddings"]
    assert found["usage"] == {"prompt_tokens": native["prompt_eval_count"], "total_tokens": native["prompt_eval_count"]}


def test_many_inputs_keep_their_order(server: Server) -> None:
    """They go to the engine in groups: a client that leaves must not have all of them worked off."""
    words = [f"grass {number} llama" for number in range(35)]
    found, reverse = (
        server.post("/v1/embeddings", {"model": "E", "input": given}).json for given in (words, words[::-1])
    )
    assert [row["index"] for row in found["data"]] == list(range(35))
    assert [row["embedding"] for row in found["data"]] == [row["embedding"] for row in reverse["data"][::-1]]
    assert found["usage"] == reverse["usage"]


def test_base64_is_little_endian_float32(server: Server) -> None:
    numbers = server.post("/v1/embeddings", {"model": "E", "input": "grass"}).json["data"][0]["embedding"]
    for encoding in ("base64", "BASE64"):
        body = {"model": "E", "input": "grass", "encoding_format": encoding}
        encoded = server.post("/v1/embeddings", body).json["data"][0]["embedding"]
        assert list(struct.unpack(f"<{len(numbers)}f", base64.b64decode(encoded))) == numbers


def test_an_empty_text_is_embedded(server: Server) -> None:
    assert len(server.post("/v1/embeddings", {"model": "E", "input": ""}).json["data"]) == 1


def test_a_long_input_is_cut_unless_the_caller_says_no(server: Server) -> None:
    body = {"model": "E", "input": "sky " * 2000}
    assert server.post("/v1/embeddings", body).status == 200
    answer = server.post("/v1/embeddings", {**body, "truncate": False})
    assert (answer.status, answer.json["error"]["message"]) == (400, "the input length exceeds the context length")


def test_names_are_looked_up_as_embed_does(server: Server) -> None:
    for model, message in (("", "model '' not found"), ("nope", 'model "nope" not found, try pulling it first')):
        answer = server.post("/v1/embeddings", {"model": model, "input": "x"})
        assert (answer.status, answer.json["error"]["message"]) == (404, message)
