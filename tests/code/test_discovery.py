"""What clients ask beside completions: contract code-completion R8 to R11, K1 to K5, and the error table §1.11."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from puna.code.completer import Completer
from puna.code.types import CodeConfig
from tests.code.doors import Door, door
from tests.code.scripted import BASE, CHATTER, CODER, Scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME = "qwen2.5-coder:1.5b"


def samples(page: str) -> dict[str, float]:
    """The series of a page of metrics."""
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[Door]:
    models = {NAME: CODER, "older:latest": BASE}
    async with door(
        Scripted(script=["x"], models=models), CodeConfig(families={"codellama:7b-code": "qwen-coder"})
    ) as found:
        yield found


async def test_K1_tags_list_default_and_every_name_that_means_a_model(opened: Door) -> None:
    models = (await opened.get("/api/tags")).json["models"]
    assert [model["name"] for model in models] == ["default", "codellama:7b-code", NAME, "older:latest"]
    for model in models:
        assert model["model"] == model["name"]
        assert model.keys() >= {"modified_at", "size", "digest", "details"}
    assert models[0]["digest"] == models[1]["digest"] == models[2]["digest"] != models[3]["digest"]


async def test_R9_openais_list_has_the_same_names(opened: Door) -> None:
    tags = [model["name"] for model in (await opened.get("/api/tags")).json["models"]]
    for path in ("/v1/models", "/models"):
        listed = (await opened.get(path)).json
        assert listed["object"] == "list"
        assert [model["id"] for model in listed["data"]] == tags
        assert {model["object"] for model in listed["data"]} == {"model"}


async def test_K2_pulling_a_listed_name_succeeds_at_once(opened: Door) -> None:
    for body in ({"name": "default"}, {"model": NAME, "stream": True}):
        reply = await opened.post("/api/pull", body)
        assert reply.lines == [{"status": "success"}]
        assert reply.headers["content-type"] == "application/x-ndjson"
    reply = await opened.post("/api/pull", {"name": "stable-code:3b"})
    assert (reply.status, reply.json["code"]) == (404, "error.not_found")
    assert not [call for call in opened.model.calls if call[0] == "/api/pull"]


@pytest.mark.parametrize(
    ("show", "fills_gaps", "inserts"),
    [
        (CODER, True, True),
        (CODER, False, True),
        (CHATTER, True, False),
        (BASE, True, False),
        ({**BASE, "template": "{{ .Prompt }}", "capabilities": ["completion", "insert"]}, True, True),
    ],
)
async def test_K3_insert_and_suffix_are_shown_together(show: dict[str, Any], fills_gaps: bool, inserts: bool) -> None:
    async with door(Scripted(models={"m": show}, fills_gaps=fills_gaps)) as opened:
        served = await opened.completer.served()
        answer = (await opened.post("/api/show", {"model": "m"})).json
        works = served.fills_in_the_middle
        assert ("insert" in answer["capabilities"], ".Suffix" in answer["template"]) == (works, works)
        if fills_gaps:
            assert works is inserts


async def test_K3_show_says_how_gaps_are_filled(opened: Door) -> None:
    answer = (await opened.post("/api/show", {"name": "default"})).json
    assert answer["puna"] == {"model": NAME, "family": "qwen-coder", "order": "psm", "source": "D4", "probe_score": 3}
    assert answer["details"]["family"] == "qwen2"


async def test_R8_version_and_loaded_models(opened: Door) -> None:
    assert (await opened.get("/api/version")).json["version"].count(".") == 2
    assert [model["name"] for model in (await opened.get("/api/ps")).json["models"]] == [NAME, "older:latest"]


async def test_R8_chat_is_the_endpoints_own(opened: Door) -> None:
    ask = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}], "options": {"seed": 1}}
    lines = (await opened.post("/api/chat", ask)).lines
    assert {line["model"] for line in lines} == {"gpt"}
    assert [line["done"] for line in lines] == [False, True]
    assert (opened.model.asked[-1]["model"], opened.model.asked[-1]["options"]) == (NAME, {"seed": 1})
    whole = (await opened.post("/api/chat", {**ask, "stream": False})).json
    assert (whole["message"], whole["done"]) == ({"role": "assistant", "content": "x"}, True)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/health"), ("POST", "/v1/health"), ("GET", "/health")])
async def test_K4_health_serves_tabby_and_llamacpp(opened: Door, method: str, path: str) -> None:
    health = (await opened.request(method, path)).json
    assert health["status"] == "ok"
    keys = {"model", "device", "arch", "cpu_info", "cpu_count", "cuda_devices", "version", "webserver"}
    assert health.keys() >= keys
    assert health["version"].keys() >= {"build_date", "build_timestamp", "git_sha", "git_describe"}


async def test_K4_health_is_503_while_a_model_is_loaded(opened: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Completer, "loading", True)
    for path in ("/health", "/v1/health"):
        reply = await opened.get(path)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert (await opened.get("/health")).json["error"]["type"] == "unavailable_error"


async def test_K5_events_are_counted_here_and_sent_nowhere(opened: Door) -> None:
    before = len(opened.model.calls) + len(opened.model.asked)
    for kind in ("view", "select", "select", "dismiss", "dance"):
        reply = await opened.post("/v1/events", {"type": kind, "completion_id": "c", "choice_index": 0})
        assert reply.status == 200
    assert len(opened.model.calls) + len(opened.model.asked) == before
    page = (await opened.get("/metrics")).text
    assert samples(page)['puna_code_events_total{type="select"}'] == 2
    assert "dance" not in page
    assert (await opened.get("/v1beta/server_setting")).json == {"disable_client_side_telemetry": True}


async def test_R11_metrics_count_requests_and_completions() -> None:
    async with door(Scripted(script=["x"])) as opened:
        await opened.post("/api/generate", {"prompt": "one = "})
        await opened.post("/ollama/api/generate", {"prompt": "two = ", "stream": False})
        await opened.get("/no/such/path")
        found = samples((await opened.get("/metrics")).text)
    assert found['puna_code_requests_total{route="/api/generate",status="200"}'] == 2
    assert found['puna_code_requests_total{route="other",status="404"}'] == 1
    assert found["puna_code_completions_total"] == 2
    assert found["puna_code_input_tokens_total"] == 40
    assert found["puna_code_running"] == 0


@pytest.mark.parametrize(
    ("path", "envelope"),
    [
        ("/api/nothing", {"error": "there is nothing at this path", "code": "error.not_found"}),
        (
            "/v1/nothing",
            {
                "error": {
                    "message": "there is nothing at this path",
                    "type": "not_found_error",
                    "param": None,
                    "code": "error.not_found",
                }
            },
        ),
    ],
)
async def test_error_404_for_paths_that_lead_nowhere(opened: Door, path: str, envelope: object) -> None:
    reply = await opened.post(path, {})
    assert (reply.status, reply.json) == (404, envelope)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/generate"), ("PUT", "/v1/completions"), ("DELETE", "/infill"), ("POST", "/api/tags")],
)
async def test_error_405_for_another_method(opened: Door, method: str, path: str) -> None:
    reply = await opened.request(method, path)
    assert reply.status == 405
    assert reply.headers["allow"]
    error = reply.json["error"]
    assert reply.json.get("code") == "error.method" or error["code"] in ("error.method", 405)


async def test_error_404_for_unknown_models_only_when_names_are_strict() -> None:
    async with door(Scripted(), CodeConfig(strict_models=True)) as opened:
        reply = await opened.post("/api/generate", {"model": "gpt-9", "prompt": "a = "})
        assert (reply.status, reply.json["code"]) == (404, "error.not_found")
        for name in ("", "default", NAME):
            assert (await opened.post("/api/generate", {"model": name, "prompt": "a = "})).status == 200


async def test_error_503_where_the_queue_is_full() -> None:
    config = CodeConfig(parallel=1, queue=0, queue_s=0.1)
    async with door(Scripted(script=["x"], endless=True), config) as opened:
        first = asyncio.create_task(opened.post("/api/generate", {"prompt": "one = "}))
        while not opened.model.lines:
            await asyncio.sleep(0.01)
        reply = await opened.post("/api/generate", {"prompt": "two = "})
        assert (reply.status, reply.json["code"], reply.headers["retry-after"]) == (503, "error.busy", "1")
        first.cancel()


async def test_error_504_after_the_deadline() -> None:
    async with door(Scripted(script=[5.0, "x"]), CodeConfig(deadline_s=0.2)) as opened:
        reply = await opened.post("/v1/completions", {"prompt": "one = "})
        assert (reply.status, reply.json["error"]["code"]) == (504, "error.timeout")


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_error_502_where_the_endpoint_refuses(status: int) -> None:
    async with door(Scripted(refusal=(status, "no such thing"))) as opened:
        reply = await opened.post("/api/generate", {"prompt": "one = "})
        assert (reply.status, reply.json["code"]) == (502, "error.upstream")


async def test_error_502_where_there_is_no_endpoint() -> None:
    from puna.client import Endpoint
    from tests.code.doors import door_to
    from tests.servers import free_port

    async with door_to(Endpoint(port=free_port()), Scripted()) as opened:
        for path in ("/api/generate", "/infill", "/v1/completions"):
            assert (await opened.post(path, {"prompt": "a", "input_prefix": "a", "input_suffix": ""})).status == 502
        assert (await opened.get("/api/tags")).status == 502
        assert (await opened.get("/health")).status == 200


async def test_error_500_says_nothing_of_what_went_wrong(
    opened: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("SECRET_SOURCE = 1")

    monkeypatch.setattr(Completer, "served", broken)
    with caplog.at_level(logging.DEBUG):
        for path, body in (("/api/generate", {"prompt": "SECRET_SOURCE"}), ("/api/show", {"model": "m"})):
            reply = await opened.post(path, body)
            assert (reply.status, reply.json["code"]) == (500, "error.processing")
            assert "SECRET" not in reply.text
    assert "KeyError" in str([record.__dict__ for record in caplog.records])
    assert "SECRET_SOURCE" not in str([record.__dict__ for record in caplog.records])


async def test_no_source_text_is_in_the_log(opened: Door, caplog: pytest.LogCaptureFixture) -> None:
    secret = "SECRET_SOURCE"
    with caplog.at_level(logging.DEBUG):
        await opened.post("/api/generate", {"prompt": secret, "suffix": secret, "stream": True})
        await opened.post("/v1/completions", {"prompt": secret, "n": secret})
        await opened.post("/infill", {"input_prefix": secret, "input_suffix": secret})
        await opened.post("/api/generate", {"prompt": secret, "template": "{" + secret})
        await opened.post("/chat/completions", {"messages": [{"role": "user", "content": secret}]})
        await opened.post("/api/generate", secret.encode())
    assert caplog.records
    assert secret not in str([record.__dict__ for record in caplog.records])
