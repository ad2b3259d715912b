"""One real server for the whole room, with a small real model that talks and embeds, and one that calls tools."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import NO_NETWORK, Server

SMOL = "smollm2:135m"
CALLER = "caller"
EMBEDDER = "embedder"

# SmolLM2's own template knows no tools. With examples to follow, the model calls what it is offered.
CALLER_TEMPLATE = """\
{{ if .Tools }}<|im_start|>system
You answer every question by calling one of these functions:
{{ range .Tools }}{{ . }}
{{ end }}<|im_end|>
<|im_start|>user
What is the weather in Quito?<|im_end|>
<|im_start|>assistant
<tool_call>{"name": "weather", "arguments": {"city": "Quito"}}</tool_call><|im_end|>
<|im_start|>function
It is raining in Quito.<|im_end|>
<|im_start|>assistant
It is raining in Quito.<|im_end|>
<|im_start|>user
What is the weather in Bogota?<|im_end|>
<|im_start|>assistant
<tool_call>{"name": "weather", "arguments": {"city": "Bogota"}}</tool_call><|im_end|>
<|im_start|>function
It is windy in Bogota.<|im_end|>
<|im_start|>assistant
It is windy in Bogota.<|im_end|>
{{ end }}
{{- range .Messages }}<|im_start|>{{ if eq .Role "tool" }}function{{ else }}{{ .Role }}{{ end }}
{{ .Content }}
{{- if .ToolCalls }}<tool_call>
{{- range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}{{ end }}</tool_call>
{{- end }}<|im_end|>
{{ end }}<|im_start|>assistant
"""

_elsewhere: list[object] = []  # every address beyond this machine that this process looked up or connected to


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and isinstance(address := arguments[1], tuple):
        host = address[0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if host not in ("127.0.0.1", "::1", "localhost"):
        _elsewhere.append(host)


sys.addaudithook(_watch)


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_embedder: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("clients")
    with Server(folder / "models", folder / "home") as running:
        running.create(EMBEDDER, tiny_embedder)
        one_thread = {"num_thread": 1}  # the engine's threads spin: on a busy machine one is faster than two
        for body in (
            {"model": SMOL, "from": SMOL, "parameters": one_thread},
            {"model": CALLER, "from": SMOL, "parameters": {"temperature": 0}, "template": CALLER_TEMPLATE},
        ):
            assert running.post("/api/create", {**body, "stream": False}).json == {"status": "success"}
        yield running


@pytest.fixture(autouse=True)
def no_telemetry(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No client reports anything to anybody: what it would send has no way out, and what it tried is told."""
    for name, value in {
        "HTTP_PROXY": NO_NETWORK,
        "HTTPS_PROXY": NO_NETWORK,
        "NO_PROXY": "127.0.0.1",
        "LANGSMITH_TRACING": "false",
        "LANGCHAIN_TRACING_V2": "false",
    }.items():
        monkeypatch.setenv(name, value)
    _elsewhere.clear()
    yield
    assert _elsewhere == []
