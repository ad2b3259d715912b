"""What Prometheus finds at `/metrics`: true counts, names as documented, and a bounded page whatever callers send."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from puna.api.metrics import Metrics
from puna.engine import Engine, RunningModel
from puna.engine.types import Weights
from puna.modelfile import CreateRequest, create_model
from puna.names import Digest, ModelName
from puna.settings import Settings
from puna.store import Store
from tests.api.prometheus import Prometheus, program
from tests.house.tree import read
from tests.servers import Server

KEY = "s3cret"
TOKENS = 5
CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hi"}],
    "options": {"num_predict": TOKENS, "temperature": 0},
}

Page = dict[str, Metric]


def parse(text: str) -> Page:
    """The families by the names that the page gives them."""
    families = text_string_to_metric_families(text)
    return {f"{family.name}{'_total' * (family.type == 'counter')}": family for family in families}


def page(server: Server) -> Page:
    answer = server.get("/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return parse(answer.body.decode())


def value(found: Page, sample: str, **labels: str) -> float:
    """The sum of the samples of this name that carry these labels."""
    samples = [item for family in found.values() for item in family.samples if item.name == sample]
    return sum(item.value for item in samples if labels.items() <= item.labels.items())


def growth(before: Page, after: Page, sample: str, **labels: str) -> float:
    return value(after, sample, **labels) - value(before, sample, **labels)


def values(found: Page, family: str, label: str) -> set[str]:
    return {item.labels[label] for item in found[family].samples}


def until(condition: Callable[[], bool]) -> None:
    """A request is counted when its last byte has been sent, so a caller may be faster."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def ended(server: Server, route: str) -> float:
    return value(page(server), "puna_requests_total", route=route)


def after_a_chat(server: Server, tokens: int = TOKENS) -> Page:
    before = ended(server, "/api/chat")
    options = {**CHAT["options"], "num_predict": tokens}
    assert len(list(server.stream("/api/chat", {"model": "M", **CHAT, "options": options}))) > 1
    until(lambda: ended(server, "/api/chat") == before + 1)
    return page(server)


@pytest.fixture(scope="module")
def alone(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same models, and nobody else whose requests are counted."""
    with Server(server.models, tmp_path_factory.mktemp("alone")) as running:
        yield running


@pytest.fixture(autouse=True)
def empty(request: pytest.FixtureRequest) -> None:
    """No model is loaded when a test begins."""
    if "alone" in request.fixturenames:
        alone: Server = request.getfixturevalue("alone")
        for model in ("M", "E"):
            alone.post("/api/generate", {"model": model, "keep_alive": 0})
        until(lambda: value(page(alone), "puna_models_loaded") == 0)


def test_requests_tokens_and_times_are_counted(alone: Server) -> None:
    before = page(alone)
    streamed = [list(alone.stream("/api/chat", {"model": "M", **CHAT})) for _ in range(3)]
    ask = {"model": "m:latest", "prompt": "Hi", "stream": False, "options": CHAT["options"]}
    whole = [alone.post("/api/generate", ask).json for _ in range(4)]
    assert alone.post("/api/embed", {"model": "E", "input": "Hi"}).status == 200
    until(lambda: ended(alone, "/api/embed") > value(before, "puna_requests_total", route="/api/embed"))
    grown = partial(growth, before, page(alone))

    finals = [lines[-1] for lines in streamed] + whole
    tokens = sum(final["eval_count"] for final in finals)
    assert tokens == 7 * TOKENS
    assert grown("puna_requests_total", route="/api/chat", model="M:latest", status="200") == 3
    assert grown("puna_requests_total", route="/api/generate", model="M:latest", status="200") == 4
    assert grown("puna_request_duration_seconds_count", route="/api/chat") == 3
    assert grown("puna_output_tokens_total", model="M:latest") == tokens
    assert grown("puna_prompt_tokens_total", model="M:latest") == sum(final["prompt_eval_count"] for final in finals)
    assert 0 < grown("puna_cached_tokens_total") < grown("puna_prompt_tokens_total")
    assert grown("puna_prompt_tokens_total", model="E:latest") > 0
    assert grown("puna_time_to_first_token_seconds_count", model="M:latest") == 7
    assert 0 < grown("puna_inter_token_seconds_count", model="M:latest") <= tokens
    assert grown("puna_load_seconds_count", model="M:latest") == 1
    assert grown("puna_load_seconds_count", model="E:latest") == 1


def test_the_answers_of_one_request_add_up(alone: Server) -> None:
    before = page(alone)
    ask = {"model": "M", "messages": CHAT["messages"], "max_tokens": TOKENS, "n": 2}
    assert alone.post("/v1/chat/completions", ask).json["usage"]["completion_tokens"] == 2 * TOKENS
    route = "/v1/chat/completions"
    until(lambda: ended(alone, route) > value(before, "puna_requests_total", route=route))
    grown = partial(growth, before, page(alone))
    assert grown("puna_output_tokens_total", model="M:latest") == 2 * TOKENS
    assert grown("puna_time_to_first_token_seconds_count", model="M:latest") == 2
    assert grown("puna_load_seconds_count", model="M:latest") == 1


def test_times_fit_into_each_other(alone: Server) -> None:
    before = page(alone)
    began = time.monotonic()
    after = after_a_chat(alone, 100)  # on a busy machine five tokens may arrive as one
    took = time.monotonic() - began
    grown = partial(growth, before, after)

    first = grown("puna_time_to_first_token_seconds_sum")
    whole = grown("puna_request_duration_seconds_sum", route="/api/chat")
    assert 0 < grown("puna_load_seconds_sum") < first < whole < took
    assert 0 < grown("puna_inter_token_seconds_sum") < whole - first


def test_the_page_shows_what_the_engine_holds_and_nothing_that_is_gone(alone: Server) -> None:
    lines = alone.stream("/api/generate", {"model": "M", "prompt": "Hi", "options": {"num_predict": 5000}})
    next(lines)
    found = page(alone)
    assert (value(found, "puna_models_loaded"), value(found, "puna_requests_active")) == (1, 1)
    assert value(found, "puna_queue_depth") == 0
    (runner,) = alone.runners()
    assert value(found, "puna_runner_memory_bytes", model="M:latest") == pytest.approx(
        runner.memory_info().rss, rel=0.5
    )
    lines.close()
    until(lambda: value(page(alone), "puna_requests_active") == 0)
    alone.post("/api/generate", {"model": "M", "keep_alive": 0})
    until(lambda: value(page(alone), "puna_models_loaded") == 0)
    assert page(alone)["puna_runner_memory_bytes"].samples == []


def test_every_route_is_counted_under_its_own_template(alone: Server) -> None:
    paths = alone.get("/openapi.json").json["paths"]
    assert {"/v1/chat/completions", "/v1/messages", "/api/blobs/{digest}"} <= paths.keys()
    for path, methods in paths.items():
        for method in methods:
            alone.request(method.upper(), re.sub(r"{\w+}", "x", path), b"")
    until(lambda: values(page(alone), "puna_requests_total", "route") >= paths.keys())


def test_T23_no_caller_can_add_series(alone: Server) -> None:
    routes = {*alone.get("/openapi.json").json["paths"], "/openapi.json", "other"}
    before = page(alone)
    generated = value(before, "puna_requests_total", route="/api/generate")
    for number in range(20):
        hostile = f'x{number}"}}\n# TYPE evil counter\nevil 1\n\\'
        alone.get(f"/nowhere/{number}")
        alone.get(f"/api/blobs/sha256:{number:064}")
        alone.request("PATCH", f"/api/chat/{number}")
        alone.post("/api/show", {"model": f"nobody/is-called:{number}"})
        alone.post("/api/chat", {"model": hostile, **CHAT})
        alone.post("/api/embed", {"model": f"absent-{number}", "input": "x"})
        alone.post("/api/generate", {"model": "M" * 100_000 + str(number), "prompt": "x"})
        alone.get("/api/tags", Host=f"evil-{number}.example")
    for spelling in ("M", "m", " M ", "m:LATEST", "library/M", "registry.ollama.ai/library/m:latest", "M:local"):
        alone.post("/api/generate", {"model": spelling, "keep_alive": 0})
    until(lambda: ended(alone, "/api/generate") == generated + 27)
    found = page(alone)
    assert values(found, "puna_requests_total", "route") <= routes
    assert values(found, "puna_requests_total", "model") <= {"M:latest", "E:latest", "unknown", ""}
    assert values(found, "puna_requests_total", "status") <= {"200", "400", "401", "403", "404", "405"}
    grown = partial(growth, before, found)
    assert grown("puna_requests_total", route="other", status="403") == 20
    assert grown("puna_requests_total", route="/api/generate", model="M:latest") == 7
    assert len(found["puna_requests_total"].samples) - len(before["puna_requests_total"].samples) < 15
    assert not any("evil" in name for name in found)


@pytest.fixture
def store(tmp_path: Path, tiny_llama: Path) -> Store:
    store = Store(tmp_path / "models")
    store.start()
    digest, _ = store.adopt(tiny_llama)
    list(create_model(store, CreateRequest(target=ModelName.parse("m0"), files={"m.gguf": str(digest)})))
    return store


async def test_T23_more_models_than_the_page_has_room_for_are_counted_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("puna.api.metrics.MAX_MODELS", 5)
    metrics = Metrics(store, Engine.build(store, Settings()))
    for number in range(8):
        if number:
            store.copy(ModelName.parse("m0"), ModelName.parse(f"m{number}"))
        metrics.ended("/api/chat", 200, 0.1, {"model": f"m{number}", "output_tokens": 1})
    found = parse((await metrics.page()).decode())
    assert len(values(found, "puna_output_tokens_total", "model")) == 6
    assert value(found, "puna_output_tokens_total", model="other") == 3


class TwiceLoaded:
    """An engine with two runners of one name: the model was made anew while its old weights were still at work."""

    def running(self) -> tuple[RunningModel, ...]:
        weights = Weights(Digest("ab" * 32), Path("m"), 1, "llama", 8, 1)
        row = RunningModel(ModelName.parse("m"), weights.digest, weights, 100, 0, 8, 1, None, busy=2)
        return row, replace(row, memory=11, busy=1)

    def queued(self) -> int:
        return 3


async def test_two_runners_of_one_name_are_one_series(store: Store) -> None:
    metrics = Metrics(store, TwiceLoaded())  # type: ignore[arg-type]
    found = parse((await metrics.page()).decode())
    assert [item.value for item in found["puna_runner_memory_bytes"].samples] == [111]
    assert (value(found, "puna_models_loaded"), value(found, "puna_requests_active")) == (2, 3)
    assert value(found, "puna_queue_depth") == 3


async def test_every_app_counts_for_itself(store: Store) -> None:
    one, other = (Metrics(store, Engine.build(store, Settings())) for _ in range(2))
    one.ended("/api/chat", 200, 0.1, {})
    assert value(parse((await one.page()).decode()), "puna_requests_total") == 1
    assert value(parse((await other.page()).decode()), "puna_requests_total") == 0


def test_the_document_lists_every_metric(alone: Server) -> None:
    found = {name: family for name, family in after_a_chat(alone).items() if name.startswith("puna_")}
    told = {
        (name, family.type, tuple(sorted({*family.samples[0].labels} - {"le"})), family.documentation)
        for name, family in found.items()
    }
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \| (.+) \|$", read("docs/metrics.md"), re.MULTILINE)
    listed = {(name, kind, tuple(re.findall(r"`(\w+)`", labels)), about) for name, kind, labels, about in rows}
    assert told == listed


def test_the_server_itself_is_measured_and_nothing_is_told_twice(alone: Server) -> None:
    found = page(alone)
    assert value(found, "process_resident_memory_bytes") > 0
    assert value(found, "python_info") == 1
    assert [name for name in found if name.endswith("_created")] == []


def test_promtool_has_nothing_to_say_about_the_page(alone: Server) -> None:
    after_a_chat(alone)
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=alone.get("/metrics").body, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_T19_prometheus_scrapes_a_server_with_a_key(server: Server, tmp_path: Path) -> None:
    with Server(server.models, tmp_path / "locked", {"PUNA_API_KEY": KEY}) as locked:
        assert locked.get("/metrics").status == 401
        ask = {"model": "M", **CHAT, "stream": False}
        assert locked.request("POST", "/api/chat", ask, headers={"Authorization": f"Bearer {KEY}"}).status == 200
        with Prometheus(tmp_path, f"127.0.0.1:{locked.port}", KEY) as prometheus:
            assert prometheus.ask('up{job="puna"} == 1')
            asked = prometheus.ask('sum by (route, model) (puna_requests_total{model!="",status="200"})')
            assert asked == {"M:latest,/api/chat": 1}
            assert prometheus.ask("sum(puna_output_tokens_total)") == {"": TOKENS}
            median = 'histogram_quantile(0.5, sum by (le) (puna_time_to_first_token_seconds_bucket{model="M:latest"}))'
            assert 0 < prometheus.ask(median)[""] <= 60
