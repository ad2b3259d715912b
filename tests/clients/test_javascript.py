"""The unmodified official `ollama` library for JavaScript, on Node, against the real server and the real small model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import SMOL
from tests.house.tree import ROOT
from tests.servers import Server

FOLDER = Path(__file__).parent / "javascript"


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    assert (FOLDER / "node_modules/ollama").is_dir(), "the JavaScript library is missing: run `make setup`"


def ask(server: Server, behaviour: str) -> Any:
    command = ["sh", str(ROOT / "tools/node.sh"), "node", str(FOLDER / "ask.mjs"), server.url, behaviour]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_chat(server: Server) -> None:
    answer = ask(server, "chat")
    assert (answer["model"], answer["message"]["role"], answer["done"]) == (SMOL, "assistant", True)
    assert "Paris" in answer["message"]["content"]
    assert answer["eval_count"] > 0
    assert answer["total_duration"] >= answer["eval_duration"] > 0


def test_a_streamed_chat_is_the_same_text_in_pieces(server: Server) -> None:
    parts = ask(server, "stream")
    assert "".join(part["message"]["content"] for part in parts) == ask(server, "chat")["message"]["content"]
    assert [part["done"] for part in parts] == [False] * (len(parts) - 1) + [True]


def test_generate_whole_and_streamed(server: Server) -> None:
    found = ask(server, "generate")
    assert len(found["whole"]["response"]) > 20
    assert len(found["parts"]) > 10
    assert "".join(part["response"] for part in found["parts"]) == found["whole"]["response"]


def test_the_model_calls_a_tool_and_uses_its_answer(server: Server) -> None:
    found = ask(server, "tools")
    (call,) = found["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"
    assert call["function"]["arguments"] == {"city": "Puno"}
    streamed = [call for part in found["parts"] for call in part["message"].get("tool_calls", [])]
    assert [each["function"] for each in streamed] == [call["function"]]
    assert "".join(part["message"]["content"] for part in found["parts"]) == ""
    assert "sunny" in found["answer"]["content"]


def test_an_answer_follows_a_schema(server: Server) -> None:
    person = json.loads(ask(server, "format")["message"]["content"])
    assert person["name"] in ("Ada", "Bob")
    assert 0 <= person["age"] <= 99


def test_embeddings(server: Server) -> None:
    found = ask(server, "embeddings")
    cat, kitten, law = found["embeddings"]
    assert len(cat) == len(found["embedding"]) == 576
    assert sum(number * number for number in cat) == pytest.approx(1, abs=1e-3)
    assert _dot(cat, kitten) > _dot(cat, law)


def test_an_aborted_stream_ends_at_once(server: Server) -> None:
    found = ask(server, "abort")
    assert found["name"] == "AbortError"
    assert found["parts"] < 100


def test_models_are_made_listed_and_deleted(server: Server) -> None:
    found = ask(server, "models")
    assert found["last"]["status"] == "success"
    assert found["system"] == "Squawk."
    assert {"copied:latest", "parrot:latest", SMOL} <= set(found["listed"])
    assert set(found["listed"]) - set(found["left"]) == {"copied:latest", "parrot:latest"}
    assert SMOL in found["running"]
    assert found["version"] == server.get("/api/version").json["version"]


def test_an_error_is_the_librarys_own(server: Server) -> None:
    assert ask(server, "error") == {
        "name": "ResponseError", "message": "model 'nope' not found", "status_code": 404,
    }  # fmt: skip


def _dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
