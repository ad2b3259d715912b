"""One recorded request of every client, replayed; it passes when the client's own rules accept the reply.

Contract code-completion Part 3. The requests are written after what the clients send, the readers after how they read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from puna.code.types import CodeConfig
from tests.code.doors import Door, door
from tests.code.scripted import Scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = "qwen2.5-coder:1.5b"
MIDDLE = "first(second)"
QWEN = "<|fim_prefix|>{}<|fim_suffix|>{}<|fim_middle|>"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def opened() -> AsyncIterator[Door]:
    async with door(Scripted(script=["first(", "sec", "ond)"]), CodeConfig(supersede=False)) as found:
        yield found


def asked(opened: Door) -> str:
    """The prompt that reached the model."""
    return str(opened.model.asked[-1]["prompt"])


def generated(lines: list[Any]) -> str:
    """How Ollama's clients read: `response` of every line up to the one that is `done`."""
    text = ""
    for line in lines:
        text += line["response"]
        if line["done"]:
            return text
    raise AssertionError("the stream never said that it was done")


async def test_llama_coder(opened: Door) -> None:
    """K1, S2, P3: it looks for its model by name, then reads lines of an answer that it did not ask to stream."""
    models = (await opened.get("/api/tags")).json["models"]
    assert any(model["name"] == MODEL for model in models)
    body = {
        "model": MODEL,
        "prompt": "<PRE> # Language: Python\n# Path: coder/a.py\nvalue = compute( <SUF> \nprint(value)\n <MID>",
        "raw": True,
        "options": {"temperature": 0.2, "num_predict": 256, "stop": ["<END>", "<EOD>", "<EOT>"]},
    }
    reply = await opened.post("/api/generate", body)
    text = ""
    for line in reply.text.split("\n"):
        if line:
            text += json.loads(line)["response"]
    assert text == MIDDLE
    assert "value = compute(" in asked(opened)
    assert asked(opened).startswith("<|")
    assert not any(marker in asked(opened) for marker in ("<PRE>", "<SUF>", "<MID>"))


@pytest.mark.parametrize(
    "markers", ["<fim_prefix>{}<fim_suffix>{}<fim_middle>", "<｜fim▁begin｜>{}<｜fim▁hole｜>{}<｜fim▁end｜>"]
)
async def test_llama_coder_with_other_markers(opened: Door, markers: str) -> None:
    prompt = markers.format(f"# Path: a.py\nn{len(opened.model.asked)} = ", "\nend()")
    reply = await opened.post("/api/generate", {"model": MODEL, "prompt": prompt, "raw": True})
    assert generated(reply.lines) == MIDDLE
    assert markers[:10] not in asked(opened)


async def test_continue_through_ollama(opened: Door) -> None:
    """K3, S1: `.Suffix` in the template makes it send a suffix; it reads a stream of lines."""
    show = (await opened.post("/api/show", {"name": MODEL})).json
    assert ".Suffix" in show["template"]
    body = {
        "model": MODEL,
        "prompt": "// Path: src/util.ts\n// export const a = 1\n// Path: src/main.ts\nconst sum = add(",
        "suffix": "\n}\n",
        "raw": False,
        "keep_alive": 1800,
        "stream": True,
        "options": {
            "temperature": 0.01,
            "num_predict": 256,
            "num_ctx": 8096,
            "stop": ["/src/", "#- coding: utf-8", "```"],
        },
    }
    assert generated((await opened.post("/api/generate", body)).lines) == MIDDLE
    assert opened.model.asked[-1]["keep_alive"] == 1800


async def test_continue_with_repository_markers(opened: Door) -> None:
    prompt = "<|repo_name|>app\n<|file_sep|>lib/a.py\nA = 1\n<|file_sep|>main.py\n" + QWEN.format("total = add(", "\n")
    body = {"model": MODEL, "prompt": prompt, "raw": True, "stream": True, "options": {"stop": ["<|endoftext|>"]}}
    assert generated((await opened.post("/api/generate", body)).lines) == MIDDLE
    assert "lib/a.py" in asked(opened)


async def test_llamacpp_streams_of_continue_and_codegpt(opened: Door) -> None:
    """R5, P2: events with `content`, ended by `stop`."""
    body = {"prompt": QWEN.format("stream = ", "\n"), "stream": True, "n_predict": 128, "temperature": 0.1}
    text = ""
    for event in (await opened.post("/completion", body, Accept="text/event-stream")).events:
        text += event["content"]
        if event["stop"]:
            break
    assert text == MIDDLE
    assert asked(opened) == body["prompt"]


async def test_codegpt_for_jetbrains(opened: Door) -> None:
    """P1 beats raw; stray blanks are text (A5)."""
    body = {
        "model": MODEL,
        "prompt": "fun main() { ",
        "suffix": " }",
        "raw": True,
        "stream": True,
        "options": {"stop": ["\n\n", "}"], "num_predict": 128, "temperature": 0.4},
    }
    assert generated((await opened.post("/api/generate", body)).lines) == MIDDLE
    assert "fun main() { " in asked(opened)
    rendered = {**body, "suffix": None, "prompt": "<|fim_prefix|> a = <|fim_suffix|> b <|fim_middle|>"}
    assert generated((await opened.post("/api/generate", rendered)).lines) == MIDDLE
    assert asked(opened) == rendered["prompt"]


@pytest.mark.parametrize("path", ["/api/generate", "/v1/completions"])
async def test_twinny(opened: Door, path: str) -> None:
    """A3, T10, P3: a header with ids and a file URI after the marker and blank lines."""
    header = "\n\n# Language: Python (python) \n# File uri: file:///w/a%20b.py (python) \n"
    prompt = f"<PRE>{header}def {path.strip('/').replace('/', '_')}( <SUF> ) <MID>"
    body = {
        "model": "codellama:7b-code",
        "prompt": prompt,
        "stream": True,
        "keep_alive": "5m",
        "n_predict": 512,
        "max_tokens": 512,
        "temperature": 0.2,
        "options": {"temperature": 0.2, "num_predict": 512},
    }
    reply = await opened.post(path, body)
    if path == "/api/generate":
        assert generated(reply.lines) == MIDDLE
    else:
        assert "".join(event["choices"][0]["text"] for event in reply.events[:-1]) == MIDDLE
    assert "File uri" not in asked(opened)
    assert "%20" not in asked(opened)
    assert "<SUF>" not in asked(opened)


async def test_llama_vim_and_llama_vscode(opened: Door) -> None:
    """I1 to I3: a warm-up that wants nothing, then a question with chosen fields."""
    common = {
        "input_prefix": "import os\n\n",
        "input_suffix": "\nmain()\n",
        "input_extra": [{"filename": "lib.py", "text": "def lib():\n    pass\n"}],
        "cache_prompt": True,
        "samplers": ["top_k", "top_p", "infill"],
        "top_k": 40,
        "top_p": 0.90,
    }
    ring = {
        **common,
        "prompt": "",
        "n_predict": 0,
        "temperature": 0.0,
        "t_max_prompt_ms": 1,
        "t_max_predict_ms": 1,
        "response_fields": [""],
    }
    assert (await opened.post("/infill", ring)).json == {}
    fields = [
        "content",
        "timings/prompt_n",
        "timings/prompt_ms",
        "timings/prompt_per_token_ms",
        "timings/prompt_per_second",
        "timings/predicted_n",
        "timings/predicted_ms",
        "timings/predicted_per_token_ms",
        "timings/predicted_per_second",
        "truncated",
        "tokens_cached",
    ]
    ask = {
        **common,
        "prompt": "result = ",
        "n_predict": 128,
        "n_indent": 0,
        "t_max_prompt_ms": 500,
        "t_max_predict_ms": 1000,
        "response_fields": fields,
        "stop": [],
        "stream": False,
    }
    answer = (await opened.post("/infill", ask)).json
    assert list(answer) == fields
    assert answer["content"] == MIDDLE
    assert "def lib()" in asked(opened)


async def test_minuet(opened: Door) -> None:
    """X4, S3: three copies at once of one streamed question, each read to `[DONE]`."""
    body = {
        "model": MODEL,
        "prompt": "# language: python\n# indentation: use 4 spaces for a tab\nminuet = ",
        "suffix": "\n",
        "stream": True,
        "max_tokens": 256,
        "top_p": 0.9,
    }
    replies = await asyncio.gather(*(opened.post("/v1/completions", body) for _ in range(3)))
    for reply in replies:
        *chunks, done = reply.events
        assert done == "[DONE]"
        assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == MIDDLE


@pytest.mark.parametrize("path", ["/api/generate", "/v1/completions"])
async def test_llm_ls(opened: Door, path: str) -> None:
    """P3, H9: one whole JSON object, `response` or `choices[0].text`."""
    prompt = f"<fim_prefix>ls{len(path)} = <fim_suffix>\n<fim_middle>"
    body = {
        "model": MODEL,
        "prompt": prompt,
        "stream": False,
        "options": {"temperature": 0.2, "top_p": 0.95},
        "temperature": 0.2,
        "top_p": 0.95,
    }
    reply = await opened.post(path, body)
    text = reply.json["response"] if path == "/api/generate" else reply.json["choices"][0]["text"]
    assert text.replace("<|endoftext|>", "") == MIDDLE
    assert asked(opened).startswith("<|fim_prefix|>")


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "<PRE> cmp = <SUF> \n <MID>"},
        {"prompt": "<PRE> vim = <SUF> \n <MID>", "raw": True, "options": {"temperature": 0}},
        {"prompt": "collama = ", "suffix": "\n", "options": {"temperature": 0.2, "stop": ["<EOT>"]}},
    ],
    ids=["cmp-ai", "vim-ollama", "collama"],
)
async def test_cmp_ai_vim_ollama_and_collama(opened: Door, body: dict[str, Any]) -> None:
    answer = (await opened.post("/api/generate", {"model": "codellama:7b-code", "stream": False, **body})).json
    assert (answer["response"], answer["done"]) == (MIDDLE, True)
    assert "<SUF>" not in asked(opened)


async def test_qode_assist(opened: Door) -> None:
    """R2 passes markers in a message through; its other two ways are like those of other clients."""
    marked = QWEN.format("int qode = ", ";\n}")
    body = {
        "model": MODEL,
        "messages": [{"role": "system", "content": "Complete."}, {"role": "user", "content": marked}],
        "stream": True,
        "max_tokens": 500,
    }
    *chunks, done = (await opened.post("/v1/chat/completions", body)).events
    assert done == "[DONE]"
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == MIDDLE
    assert opened.model.asked[-1]["messages"][1]["content"] == marked
    generate = {"model": MODEL, "prompt": marked, "stream": True, "raw": True, "options": {"num_predict": 500}}
    assert generated((await opened.post("/api/generate", generate)).lines) == MIDDLE
    infill = {"input_prefix": "int infill = ", "input_suffix": "\n}", "n_predict": 500, "stream": True}
    events = (await opened.post("/infill", infill)).events
    assert "".join(event["content"] for event in events) == MIDDLE


async def test_zed(opened: Door) -> None:
    """Only `response` and a `created_at` that is text; or `id` and `choices[].text`."""
    body = {
        "model": MODEL,
        "prompt": QWEN.format("zed = ", "\n"),
        "raw": True,
        "stream": False,
        "options": {"num_predict": 64, "temperature": 0.2, "stop": ["<|endoftext|>", "\n\n"]},
    }
    answer = (await opened.post("/api/generate", body)).json
    assert isinstance(answer["created_at"], str)
    assert answer["response"] == MIDDLE
    compatible = {
        "model": MODEL,
        "prompt": QWEN.format("zed2 = ", "\n"),
        "max_tokens": 64,
        "temperature": 0.2,
        "stop": ["<|endoftext|>"],
    }
    whole = (await opened.post("/v1/completions", compatible)).json
    assert isinstance(whole["id"], str)
    assert whole["choices"][0]["text"] == MIDDLE


async def test_tabby_clients(opened: Door) -> None:
    """R3, K4, K5: health first, then segments, then what became of it."""
    health = (await opened.request("POST", "/v1/health")).json
    assert isinstance(health["version"]["git_describe"], str)
    body = {
        "language": "python",
        "segments": {
            "prefix": "def fib(n):\n    tabby = ",
            "suffix": "\n",
            "filepath": "fib.py",
            "git_url": "https://example.com/me/repo",
            "clipboard": "",
        },
        "user": "me",
        "temperature": None,
        "mode": "standard",
    }
    answer = (await opened.post("/v1/completions", body, Authorization="Bearer auth_token")).json
    assert isinstance(answer["id"], str)
    assert answer["choices"] == [{"index": 0, "text": MIDDLE}]
    event = {"type": "select", "completion_id": answer["id"], "choice_index": 0, "view_id": "v", "elapsed": 900}
    assert (await opened.post("/v1/events?select_kind=line", event)).status == 200
    assert (await opened.get("/v1beta/server_setting")).json["disable_client_side_telemetry"] is True


async def test_copilot_style_proxies(opened: Door) -> None:
    """R7: events with an index, and a header that names the request."""
    body = {
        "prompt": "# Path: copilot.py\ncopilot = ",
        "suffix": "\n",
        "max_tokens": 500,
        "temperature": 0.1,
        "top_p": 1,
        "n": 3,
        "stop": ["\n\n\n"],
        "nwo": "me/repo",
        "stream": True,
        "extra": {
            "language": "python",
            "next_indent": 0,
            "trim_by_indentation": True,
            "prompt_tokens": 9,
            "suffix_tokens": 1,
        },
    }
    reply = await opened.post("/v1/engines/copilot-codex/completions", body, Authorization="Bearer tid=1")
    assert reply.headers["x-github-request-id"]
    texts = ["", "", ""]
    for event in reply.events[:-1]:
        (choice,) = event["choices"]
        texts[choice["index"]] += choice["text"]
    assert texts == [MIDDLE] * 3


async def test_jetbrains_assistant(opened: Door) -> None:
    """R2, R8, R9: it lists the models and chats, through Ollama's routes or OpenAI's."""
    assert (await opened.get("/")).status == 200
    assert MODEL in [model["name"] for model in (await opened.get("/api/tags")).json["models"]]
    assert MODEL in [model["id"] for model in (await opened.get("/v1/models")).json["data"]]
    message = {"role": "user", "content": "Explain."}
    lines = (await opened.post("/api/chat", {"model": MODEL, "messages": [message], "stream": True})).lines
    assert "".join(line["message"]["content"] for line in lines) == MIDDLE
    answer = (await opened.post("/v1/chat/completions", {"model": MODEL, "messages": [message]})).json
    assert answer["choices"][0]["message"]["content"] == MIDDLE
