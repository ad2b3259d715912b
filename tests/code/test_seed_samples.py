"""The three samples of the published API (seed 003), byte for byte, against `puna up` with the packaged model."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ollama
import openai
import pytest

from puna.cli.app import run_app
from tests.code.doors import Reply
from tests.servers import Server, free_port

SMOL = "smollm2:135m"
BRIEF = "brief"  # the same model, which says little: articles take their time
PATIENT = {"PUNA_CODE_DEADLINE_MS": "110000"}  # other tests may be using the machine
SIMPLE = b'{\n  "prompt": "def quicksort("\n}'
META = b'{\n  "prompt": "# Language: Python\\n# Path: ~/code/sort.py\\ndef quicksort( <SUF> ) <MID>"\n}'
CHAT = (
    b'{"model": "gpt-3.5-turbo","messages": [{"role": "system", "content": "You are a helpful assistant."}, '
    b'{"role": "user", "content": "Write an article about the weather of Seattle"}], "stream": true}'
)
MESSAGES: Any = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Write an article about the weather of Seattle."},
]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("up")
    editors = {"PUNA_CODE_HOST": f"127.0.0.1:{free_port()}", "PUNA_CODE_MODEL": BRIEF, **PATIENT}
    with Server(folder / "models", folder / "home", editors, command="up") as running:
        made = {"model": BRIEF, "from": SMOL, "parameters": {"num_predict": 24}, "stream": False}
        assert running.post("/api/create", made).status == 200
        yield running


@pytest.fixture(scope="module")
def editors(runtime: Server) -> Server:
    """The other face of the same process."""
    return replace(runtime, port=int(runtime.environment["PUNA_CODE_HOST"].rpartition(":")[2]))


def curl(editors: Server, method: str, path: str, body: bytes) -> Reply:
    """What curl sends for `-d`: a form, whatever it is."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost:{editors.port}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n"
        f"Content-Length: {len(body)}\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n"
    )

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", editors.port)
        writer.write(head.encode() + body)
        answer = await reader.read()
        writer.close()
        return answer

    raw, _, rest = asyncio.run(ask()).partition(b"\r\n\r\n")
    first, *lines = raw.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Reply(int(first.split()[1]), headers, rest)


def test_R1_the_simple_sample(editors: Server) -> None:
    reply = curl(editors, "POST", "/api/generate", SIMPLE)
    assert reply.status == 200
    assert reply.body.count(b"\n") == 1
    answer = reply.json
    keys = ["model", "created_at", "response", "input_tokens", "output_tokens", "total_duration", "done"]
    assert list(answer)[: len(keys)] == keys
    assert (answer["model"], answer["done"]) == ("default", True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", answer["created_at"])
    assert answer["response"]
    assert not answer["response"].startswith("def quicksort(")
    assert 0 < answer["output_tokens"] <= 128
    assert answer["input_tokens"] > 0
    assert 0 < answer["total_duration"] < 60


def test_R1_the_sample_with_meta_information(editors: Server) -> None:
    answer = curl(editors, "POST", "/api/generate", META).json
    assert answer["done"] is True
    assert isinstance(answer["response"], str)
    assert "<MID>" not in answer["response"]


def test_H1_R2_the_sample_with_the_method_post(editors: Server) -> None:
    reply = curl(editors, "post", "/chat/completions", CHAT)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
    unchunked = b"".join(part for part in re.split(rb"(?:^|\r\n)[0-9a-f]+\r\n", reply.body) if part)
    *chunks, done = replace(reply, body=unchunked.removesuffix(b"\r\n")).events
    assert done == "[DONE]"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] in ("stop", "length")


@pytest.mark.parametrize("is_streaming", [True, False])
def test_R2_the_sample_with_the_official_sdk(
    editors: Server, monkeypatch: pytest.MonkeyPatch, is_streaming: bool
) -> None:
    monkeypatch.setattr(openai, "base_url", f"http://localhost:{editors.port}")
    monkeypatch.setattr(openai, "api_key", "sk-no-key-required")
    monkeypatch.setattr(openai, "_client", None)
    response: Any = openai.chat.completions.create(model="default", messages=MESSAGES, stream=is_streaming)
    if is_streaming:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in response)
    else:
        assert response.choices[0].message.content
        assert response.object == "chat.completion"
        assert (response.choices[0].index, response.choices[0].logprobs) == (0, None)
        assert response.choices[0].finish_reason in ("stop", "length")


def test_R3_the_official_sdk_completes_text_too(editors: Server) -> None:
    with openai.OpenAI(base_url=f"{editors.url}/v1", api_key="any") as client:
        answer = client.completions.create(model="default", prompt="def add(a, b):\n    return ", max_tokens=8)
        assert answer.choices[0].text.strip()
        assert answer.usage is not None
        assert answer.usage.completion_tokens > 0
        ask = "# the first ten primes\nprimes = [2, 3, 5,"
        stream = client.completions.create(model="default", prompt=ask, max_tokens=4, stream=True)
        assert "".join(chunk.choices[0].text for chunk in stream)
        assert "default" in [model.id for model in client.models.list()]


def test_R12_the_official_client_of_ollama_reads_the_strict_dialect(editors: Server) -> None:
    for url in (editors.url, f"{editors.url}/ollama"):
        client = ollama.Client(host=url)
        whole = client.generate(model=BRIEF, prompt="def mul(a, b):", options={"num_predict": 4})
        assert isinstance(whole.total_duration, int)
        assert whole.created_at is not None
        assert whole.created_at.endswith("Z")
        pieces = list(client.generate(model=BRIEF, prompt="def sub(a, b):", options={"num_predict": 4}, stream=True))
        assert pieces[-1].done
        assert SMOL in [model.model for model in client.list().models]
        client._client.close()


def test_both_faces_say_where_they_are_and_end_together(runtime: Server, editors: Server) -> None:
    assert runtime.get("/").body == editors.get("/").body == b"Ollama is running"
    assert f"Puna runs at {runtime.url} " in runtime.log
    assert f"Editors complete at {editors.url} " in runtime.log


def test_D8_explain_and_check_look_at_the_model(
    runtime: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PUNA_HOST", f"127.0.0.1:{runtime.port}")
    assert run_app(["code", "--explain", "--model", BRIEF]) == 0
    told = capsys.readouterr().out
    assert re.search(rf"model +{BRIEF}", told)
    assert re.search(r"found by +D\d", told)
    assert run_app(["code", "--check"]) == 0
    assert capsys.readouterr().out.startswith("The settings fit: ")
    monkeypatch.setenv("PUNA_CODE_TEMPLATE", "{<no_such_token>}{code_prefix}")
    assert run_app(["code", "--check"]) == 1
    assert "<no_such_token>" in capsys.readouterr().out
    assert run_app(["code", "--no-embedded"]) == 1  # V3: the server does not start with it
    assert "<no_such_token>" in capsys.readouterr().err


def test_code_alone_starts_a_runtime_and_takes_it_along(runtime: Server) -> None:
    own = {"PUNA_HOST": f"127.0.0.1:{free_port()}", "PUNA_CODE_HOST": f"127.0.0.1:{(port := free_port())}", **PATIENT}
    with Server(runtime.models, runtime.home / "alone", own, command="code", port=port) as alone:
        answer = alone.post("/api/generate", {"prompt": "def add(", "options": {"num_predict": 2}}).json
        assert answer["done"] is True
        children = alone.runners()
        assert children
    assert not any(child.is_running() for child in children)


def test_code_without_a_runtime_says_so_to_each_client(runtime: Server) -> None:
    own = {"PUNA_HOST": f"127.0.0.1:{free_port()}", "PUNA_CODE_HOST": f"127.0.0.1:{(port := free_port())}", **PATIENT}
    alone = Server(runtime.models, runtime.home / "none", own, ("--no-embedded",), command="code", port=port)
    with alone:
        answer = alone.post("/api/generate", json.loads(SIMPLE))
        assert (answer.status, answer.json["code"]) == (502, "error.upstream")
        assert alone.runners() == []
