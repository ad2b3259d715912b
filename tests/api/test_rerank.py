"""`/api/rerank` and `/v1/rerank`: documents sorted by a cross-encoder, in the shapes that other servers use."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests import tiny_models
from tests.servers import Answer, Server

QUERY = "what is a llama"
DOCUMENTS = ["the llama is a animal", "sky blue", "grass land", "new york city"]
ROUTES = ("/api/rerank", "/v1/rerank")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path, tiny_embedder: Path) -> Iterator[Server]:
    folder, cache = tmp_path_factory.mktemp("rerank"), tiny_models.cache_folder()
    with Server(folder / "models", folder / "home", {"PUNA_EMBEDDED_MODEL": "0"}) as running:
        running.create("R", tiny_models.tiny_reranker(cache))
        running.create("headless", tiny_models.tiny_reranker(cache, name="tiny-headless", head=None))
        running.create("M", tiny_llama)
        running.create("E", tiny_embedder)
        yield running


def ask(server: Server, path: str = "/api/rerank", **fields: Any) -> Answer:
    return server.post(path, {"model": "R", "query": QUERY, "documents": DOCUMENTS} | fields)


def refusal(server: Server, **fields: Any) -> str:
    """The text of the 400 that both routes answer, each in its own form."""
    native, openai = (ask(server, path, **fields) for path in ROUTES)
    assert (native.status, openai.status) == (400, 400)
    assert openai.json["error"]["type"] == "invalid_request_error"
    assert openai.json["error"]["message"] == native.json["error"]
    return str(native.json["error"])


def test_a_reranker_is_marked_as_one(server: Server) -> None:
    assert server.post("/api/show", {"model": "R"}).json["capabilities"] == ["rerank"]
    listed = {row["name"]: row["capabilities"] for row in server.get("/api/tags").json["models"]}
    assert listed == {
        "R:latest": ["rerank"],
        "headless:latest": ["embedding"],
        "M:latest": ["completion"],
        "E:latest": ["embedding"],
    }


def test_the_best_document_comes_first(server: Server) -> None:
    native, openai = (ask(server, path).json for path in ROUTES)
    assert list(native) == ["model", "results", "total_duration", "load_duration", "prompt_eval_count"]
    assert list(openai) == ["object", "model", "results", "usage"]
    assert (openai["object"], openai["model"], native["model"]) == ("list", "R", "R")
    tokens = native["prompt_eval_count"]
    assert openai["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert openai["results"] == native["results"]
    scores = [row["relevance_score"] for row in native["results"]]
    assert scores == sorted(scores, reverse=True)
    assert sorted(row["index"] for row in native["results"]) == [0, 1, 2, 3]
    assert all(list(row) == ["index", "relevance_score"] for row in native["results"])


def test_an_index_is_the_place_in_the_request(server: Server) -> None:
    """Whatever the order of the documents, each keeps its score."""
    forwards, backwards = (ask(server, documents=documents).json for documents in (DOCUMENTS, DOCUMENTS[::-1]))
    assert [3 - row["index"] for row in backwards["results"]] == [row["index"] for row in forwards["results"]]
    assert backwards["prompt_eval_count"] == forwards["prompt_eval_count"]


@pytest.mark.parametrize(("top_n", "count"), [(1, 1), (3, 3), (4, 4), (99, 4), (None, 4)])
def test_top_n_is_how_many_at_most(server: Server, top_n: int | None, count: int) -> None:
    whole = ask(server).json
    some = ask(server, top_n=top_n).json
    assert some["results"] == whole["results"][:count]
    assert some["prompt_eval_count"] == whole["prompt_eval_count"]


@pytest.mark.parametrize("path", ROUTES)
def test_documents_come_back_when_asked_for(server: Server, path: str) -> None:
    objects = [{"text": text, "id": 7} for text in DOCUMENTS]
    for documents in (DOCUMENTS, objects, [DOCUMENTS[0], *objects[1:]]):
        rows = ask(server, path, documents=documents, return_documents=True).json["results"]
        assert [row["document"] for row in rows] == [{"text": DOCUMENTS[row["index"]]} for row in rows]


@pytest.mark.parametrize("query", ["", " \n", None])
def test_an_empty_query_is_refused(server: Server, query: str | None) -> None:
    assert refusal(server, query=query) == "query is empty"


def test_the_number_of_documents_has_an_end(server: Server) -> None:
    told = "documents must hold 1 to 1000 texts, not {}"
    assert refusal(server, documents=[]) == refusal(server, documents=None) == told.format(0)
    assert refusal(server, documents=["sky"] * 1001) == told.format(1001)
    assert len(ask(server, documents=["sky"] * 1000).json["results"]) == 1000


@pytest.mark.parametrize("document", [1, None, ["sky"], {"title": "sky"}, {"text": 1}])
def test_a_document_that_is_no_text_is_refused(server: Server, document: object) -> None:
    assert refusal(server, documents=["sky", document]) == "documents must be texts, or objects with a text"


def test_other_fields_of_the_wrong_kind_are_refused(server: Server) -> None:
    assert [refusal(server, top_n=top_n) for top_n in (0, -1)] == ["top_n must be at least 1"] * 2
    for field, value in (("top_n", "3"), ("query", ["x"]), ("documents", "sky"), ("return_documents", "yes")):
        assert field in refusal(server, **{field: value})
    assert refusal(server, model="") == "model is required"
    assert [ask(server, path, model="nope").status for path in ROUTES] == [404, 404]


def test_a_document_that_may_not_be_cut_is_refused_by_its_number(server: Server) -> None:
    documents = ["sky", "sky " * 600]
    assert refusal(server, documents=documents, truncate=False).startswith("documents[1] is too long")
    assert ask(server, "/v1/rerank", documents=documents, truncate=False).json["error"]["param"] == "documents"
    assert ask(server, documents=documents).status == 200


@pytest.mark.parametrize("model", ["M", "E", "headless"])
def test_only_a_reranker_ranks(server: Server, model: str) -> None:
    assert refusal(server, model=model) == f'"{model}" does not support rerank: use a model with that capability'


@pytest.mark.parametrize(
    ("path", "fields", "verb"),
    [
        ("/api/generate", {"prompt": "hi"}, "generate"),
        ("/api/chat", {"messages": [{"role": "user", "content": "hi"}]}, "chat"),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}, "chat"),
        ("/v1/completions", {"prompt": "hi"}, "generate"),
        ("/v1/responses", {"input": "hi"}, "chat"),
        ("/v1/messages", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}, "chat"),
        ("/api/embed", {"input": "hi"}, "embeddings"),
        ("/api/embed", {"input": []}, "embeddings"),
        ("/api/embeddings", {"prompt": "hi"}, "embeddings"),
        ("/v1/embeddings", {"input": "hi"}, "embeddings"),
    ],
)
def test_a_reranker_does_nothing_else(server: Server, path: str, fields: dict[str, Any], verb: str) -> None:
    answer = server.post(path, {"model": "R", **fields})
    error = answer.json["error"]
    assert answer.status == 400
    assert f'"R" does not support {verb}' in (error if isinstance(error, str) else error["message"])


def test_ranking_is_counted_like_any_request(server: Server) -> None:
    tokens = ask(server).json["prompt_eval_count"]
    page = server.get("/metrics").body.decode()
    assert 'puna_requests_total{model="R:latest",route="/api/rerank",status="200"}' in page
    assert 'puna_requests_total{model="R:latest",route="/v1/rerank",status="200"}' in page
    assert tokens > 0
    assert 'puna_prompt_tokens_total{model="R:latest"}' in page


def test_T23_a_client_that_leaves_takes_its_work_along(server: Server) -> None:
    """A thousand long documents are much more work than the short request behind them waits for."""
    documents, options = ["sky llama " * 240] * 1000, {"num_thread": 1}
    part_s = _seconds(lambda: ask(server, documents=documents[:50], options=options))
    connection = HTTPConnection("127.0.0.1", server.port)
    body = {"model": "R", "query": QUERY, "documents": documents, "options": options}
    connection.request("POST", "/api/rerank", json.dumps(body))
    _until(lambda: _active(server) == 1)
    time.sleep(part_s)  # it is at work by now, with most of it to come
    assert _active(server) == 1
    connection.close()
    assert _seconds(lambda: ask(server, options=options)) < 5 * part_s  # the whole would be twenty
    _until(lambda: _active(server) == 0)


def _active(server: Server) -> int:
    return int(server.get("/api/status").json["puna"]["requests_active"])


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
