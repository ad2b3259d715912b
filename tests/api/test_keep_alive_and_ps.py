"""How long models stay in memory, what `ps` says of them, and when one makes room for another (§1.7, §3.3, §4.12, §5)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.servers import Server

SHORT = {"prompt": "x", "stream": False, "options": {"num_predict": 2}}


@pytest.fixture(scope="module")
def alone(server: Server) -> Iterator[Server]:
    """The same models, and nobody else who loads or unloads them."""
    with Server(server.models, server.home.parent / "alone") as running:
        made = running.post(
            "/api/create", {"model": "M-twin", "from": "M", "system": "You are a twin.", "stream": False}
        )
        assert made.json == {"status": "success"}
        yield running


@pytest.fixture(autouse=True)
def empty(alone: Server) -> None:
    alone.unload()


def rows(server: Server) -> list[Any]:
    models: list[Any] = server.get("/api/ps").json["models"]
    return models


def names(server: Server) -> list[str]:
    return [row["name"] for row in rows(server)]


def until(condition: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def remaining(row: Any) -> timedelta:
    return datetime.fromisoformat(row["expires_at"]) - datetime.now(UTC)


def ask(server: Server, model: str = "M", **fields: Any) -> Any:
    answer = server.post("/api/generate", {"model": model, **SHORT, **fields})
    assert answer.status == 200, answer.body
    return answer.json


def test_nothing_loaded_is_an_empty_list(alone: Server) -> None:
    assert alone.get("/api/ps").body == b'{"models":[]}'


def test_the_fields_of_a_row(alone: Server) -> None:
    ask(alone)
    (row,) = rows(alone)
    assert list(row) == ["name", "model", "size", "digest", "details", "expires_at", "size_vram", "context_length"]
    assert row["name"] == row["model"] == "M:latest"
    (tag,) = (model for model in alone.get("/api/tags").json["models"] if model["name"] == "M:latest")
    assert row["digest"] == tag["digest"]
    assert re.fullmatch("[0-9a-f]{64}", row["digest"])
    assert row["details"] == {
        key: value for key, value in tag["details"].items() if key not in ("context_length", "embedding_length")
    } | {"parent_model": ""}
    assert row["size"] > 0
    assert 0 <= row["size_vram"] <= row["size"]
    assert row["context_length"] == 8192  # the trained length fits in memory
    assert alone.post("/api/show", {"model": "M"}).json["model_info"]["llama.context_length"] == 8192
    assert timedelta(minutes=4) < remaining(row) <= timedelta(minutes=5)


def test_a_keep_alive_sticks_until_another_one_is_given(alone: Server) -> None:
    ask(alone, keep_alive="1h")
    assert timedelta(minutes=50) < remaining(rows(alone)[0])
    ask(alone)
    assert timedelta(minutes=50) < remaining(rows(alone)[0])
    ask(alone, keep_alive=None)
    assert timedelta(minutes=50) < remaining(rows(alone)[0])
    ask(alone, keep_alive=90.5)
    assert timedelta(seconds=80) < remaining(rows(alone)[0]) <= timedelta(seconds=90.5)


@pytest.mark.parametrize("forever", [-1, "-1m", -0.5, "-1ns"])
def test_a_negative_keep_alive_is_for_ever(alone: Server, forever: Any) -> None:
    ask(alone, keep_alive=forever)
    assert remaining(rows(alone)[0]) > timedelta(days=365 * 100)


@pytest.mark.parametrize("soon", [0.3, "300ms", "0.3s"])
def test_a_fraction_of_a_second(alone: Server, soon: Any) -> None:
    ask(alone, keep_alive=soon)
    assert names(alone) == ["M:latest"]
    until(lambda: not rows(alone), 5)
    until(lambda: not alone.runners(), 5)


def test_zero_with_work_unloads_after_the_work(alone: Server) -> None:
    assert ask(alone, keep_alive=0)["done_reason"] == "length"
    until(lambda: not rows(alone) and not alone.runners())


@pytest.mark.parametrize(("route", "body"), [("embed", {"input": "x"}), ("embeddings", {"prompt": "x"})])
def test_embedding_takes_keep_alive_too(alone: Server, route: str, body: dict[str, Any]) -> None:
    alone.post(f"/api/{route}", {"model": "E", "keep_alive": "2h", **body})
    assert timedelta(hours=1) < remaining(rows(alone)[0])
    alone.post(f"/api/{route}", {"model": "E", "keep_alive": 0, **body})
    until(lambda: not rows(alone))


@pytest.mark.parametrize(
    ("value", "text"),
    [("5", 'time: missing unit in duration "5"'), ("", 'time: invalid duration ""'), ("-1", "time: missing unit"),
     ("1y", "time: unknown unit"), (True, "Unsupported type: 'bool'"), ([], "Unsupported type: "),
     ({}, "Unsupported type: ")],
)  # fmt: skip
def test_what_keep_alive_cannot_be(alone: Server, value: Any, text: str) -> None:
    for path, body in (("generate", SHORT), ("chat", {}), ("embed", {"input": "x"}), ("embeddings", {"prompt": "x"})):
        answer = alone.post(f"/api/{path}", {"model": "M", **body, "keep_alive": value})
        assert (answer.status, answer.json["error"].startswith(text)) == (400, True), answer.body


def test_the_longest_life_comes_first(alone: Server) -> None:
    for model, keep_alive in (("M", "10m"), ("T", -1), ("tools", "1h")):
        ask(alone, model, keep_alive=keep_alive)
    assert names(alone) == ["T:latest", "tools:latest", "M:latest"]


def test_two_names_of_one_weights_share_a_runner(alone: Server) -> None:
    ask(alone, "M")
    before = {runner.pid for runner in alone.runners()}
    ask(alone, "M-twin", keep_alive="1h")
    assert {runner.pid for runner in alone.runners()} == before
    (row,) = rows(alone)
    assert row["name"] == "M:latest"  # who caused the load
    assert timedelta(minutes=50) < remaining(row)
    alone.post("/api/generate", {"model": "M-twin", "keep_alive": 0})
    until(lambda: not rows(alone))


def test_another_context_reloads_and_the_same_one_does_not(alone: Server) -> None:
    pids = []
    for num_ctx in (512, 512, 1024, 10**6, 8192):
        ask(alone, options={"num_ctx": num_ctx, "num_predict": 1})
        (runner,) = alone.runners()
        pids.append((runner.pid, rows(alone)[0]["context_length"]))
    assert [context for _, context in pids] == [512, 512, 1024, 8192, 8192]  # clamped to the trained length
    numbers = [pid for pid, _ in pids]
    assert numbers[0] == numbers[1]
    assert numbers[3] == numbers[4]
    assert len(set(numbers)) == 3


def test_unloading_a_busy_model_answers_first(alone: Server) -> None:
    lines = alone.stream("/api/generate", {"model": "M", "prompt": "x", "options": {"num_predict": 700}})
    next(lines)
    began = time.monotonic()
    unloading = alone.post("/api/generate", {"model": "M", "keep_alive": 0})
    assert (unloading.status, unloading.json["done_reason"]) == (200, "unload")
    assert time.monotonic() - began < 3
    assert remaining(rows(alone)[0]) <= timedelta(0)  # the instant of the request
    assert list(lines)[-1]["eval_count"] == 700
    until(lambda: not rows(alone))


def test_unloading_what_is_not_loaded_is_fine(alone: Server) -> None:
    for path in ("generate", "chat"):
        assert alone.post(f"/api/{path}", {"model": "M", "keep_alive": "0s"}).json["done_reason"] == "unload"
    assert alone.post("/api/generate", {"model": "nowhere", "keep_alive": 0}).status == 404


def test_making_room_never_ends_an_answer(server: Server) -> None:
    """One model at a time: the second waits for the end of the first one's answer, then takes its place."""
    with Server(server.models, server.home.parent / "one", {"PUNA_MAX_LOADED_MODELS": "1"}) as one:
        lines = one.stream("/api/generate", {"model": "M", "prompt": "x", "options": {"num_predict": 700}})
        next(lines)
        answers: list[Any] = []
        other = threading.Thread(target=lambda: answers.append(ask(one, "T")))
        other.start()
        rest = list(lines)
        assert rest[-1]["eval_count"] == 700
        other.join(30)
        assert answers[0]["done"] is True
        assert names(one) == ["T:latest"]
        assert len(one.runners()) == 1
