"""What becomes of the fields of requests: each is sent once and left out once, and the two answers are compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_openai_audio import WAV, form, hearing, send  # noqa: F401  # `hearing` makes the model that hears
from tests.api.test_tools_and_thinking import GO_TOOLS
from tests.dialects.fields import Fate, Field, Route, with_field
from tests.dialects.page import ROUTES
from tests.servers import Answer, Server

# A template that shows all there is to a conversation.
EVERYTHING = (
    "{{ .System }}{{ range .Tools }}{{ . }}{{ end }}{{ range .Messages }}<{{ .Role }} {{ .Content }} {{ .Thinking }} "
    "{{ .ToolName }} {{ .ToolCallID }}{{ range .ToolCalls }}({{ .ID }} {{ .Function.Index }} {{ .Function.Name }} "
    "{{ .Function.Arguments }}){{ end }}>{{ end }}"
)

# What differs from answer to answer, whatever was asked: times, ids, and how much of a prompt was in the cache.
RESTLESS = {
    "created", "created_at", "completed_at", "id", "item_id", "call_id", "total_duration", "load_duration",
    "prompt_eval_duration", "eval_duration", "prompt_eval_cached_count", "prompt_tokens_details", "input_tokens_details",
    "cache_read_input_tokens", "model", "reasoning",
}  # fmt: skip


def cases(fate: Fate) -> list[Any]:
    return [
        pytest.param(route, field, id=f"{route.path}-{field.name}")
        for route in ROUTES
        for field in route.compared(fate)
    ]


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_llama: Path,
    tiny_embedder: Path,
    tiny_thinker: Path,
    tiny_tools: Path,
) -> Iterator[Server]:
    """The engine's threads spin: on a busy machine one is faster than two."""
    folder = tmp_path_factory.mktemp("dialects")
    models = {"M": tiny_llama, "E": tiny_embedder, "T": tiny_thinker, "tools": tiny_tools}
    with Server(folder / "models", folder / "home", {"PUNA_EMBEDDED_MODEL": "0"}) as running:
        for name, gguf in models.items():
            running.create(name, gguf, parameters={"num_thread": 1})
        for name, template in (("shows", EVERYTHING), ("calls", GO_TOOLS)):
            running.create(name, tiny_llama, parameters={"num_thread": 1}, template=template)
        yield running


@pytest.fixture(scope="module")
def alone(server: Server) -> Alone:
    return Alone(server)


@pytest.mark.parametrize(("route", "field"), cases(Fate.HONOURED))
def test_an_honoured_field_changes_the_answer(server: Server, alone: Alone, route: Route, field: Field) -> None:
    before = alone.answer(route, field)
    answer = ask(server, route, with_field({**route.base, **field.beside}, field.name, field.value))
    assert answer.status == 200 or field.name == "truncate", answer.body
    assert steady(answer) != before


@pytest.mark.parametrize(("route", "field"), cases(Fate.NO_EFFECT))
def test_a_field_without_effect_changes_nothing(server: Server, alone: Alone, route: Route, field: Field) -> None:
    answer = ask(server, route, with_field({**route.base, **field.beside}, field.name, field.value))
    assert answer.status == 200, answer.body
    assert steady(answer) == alone.answer(route, field)


@pytest.mark.parametrize(("route", "field"), cases(Fate.REFUSED))
def test_a_refused_field_is_named(server: Server, route: Route, field: Field) -> None:
    answer = ask(server, route, with_field({**route.base, **field.beside}, field.name, field.value))
    assert answer.status == 400
    said = json.dumps(answer.json)
    assert all(part.removesuffix("[]") in said for part in field.name.split(".")[:1]), said


class Alone:
    """The answers without the fields, each asked for twice: where they differ, a comparison would say nothing."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._answers: dict[str, Any] = {}

    def answer(self, route: Route, field: Field) -> Any:
        body = {**route.base, **field.beside}
        key = f"{route.path} {json.dumps(body, sort_keys=True)}"
        if key not in self._answers:
            first, second = (steady(ask(self._server, route, body)) for _ in range(2))
            assert first == second
            self._answers[key] = first
        return self._answers[key]


def ask(server: Server, route: Route, body: Mapping[str, Any]) -> Answer:
    if route.body is None and "options" not in route.base:  # a form
        return send(server, form(*((name, str(value)) for name, value in body.items()), WAV))
    return server.post(route.path, body)


def steady(answer: Answer) -> Any:
    """The answer, or all its lines or events, without what is another one each time."""
    text = answer.body.decode()
    if answer.headers["content-type"].startswith(("application/json", "application/x-ndjson", "text/event-stream")):
        lines = [line.removeprefix("data: ") for line in text.splitlines() if not line.startswith("event:")]
        return [_steady(json.loads(line)) for line in lines if line not in ("", "[DONE]")]
    return text


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        if "cache_read_input_tokens" in value:
            value = value | {"input_tokens": value["input_tokens"] + value["cache_read_input_tokens"]}
        return {key: _steady(item) for key, item in value.items() if key not in RESTLESS}
    if isinstance(value, list):
        return [_steady(item) for item in value]
    return value
