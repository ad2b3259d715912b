"""The unmodified `llm` with its plugin `llm-ollama`, from Python and from the command line, against the real server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.clients.conftest import CALLER, EMBEDDER, SMOL
from tests.servers import Server

TALKER = f"ollama/{SMOL}"
FRANCE = "What is the capital of France? Answer in one word."
PUNO = "What is the weather in Puno?"
GREEDY = {"temperature": 0, "num_predict": 12}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("llm")


@pytest.fixture(autouse=True)
def settings(server: Server, folder: Path, no_telemetry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the plugin finds the server, and a folder of its own for what `llm` keeps. Other plugins stay out."""
    monkeypatch.setenv("OLLAMA_HOST", server.url)
    monkeypatch.setenv("OLLAMA_HEADERS", "Connection=close")  # the plugin never closes its connections
    monkeypatch.setenv("LLM_USER_PATH", str(folder))
    monkeypatch.setenv("LLM_LOAD_PLUGINS", "llm-ollama")


@pytest.fixture
def llm(settings: None) -> ModuleType:
    """It reads its settings when it is imported, so it is not imported before."""
    import llm

    return llm


def run(*arguments: str, stdin: str = "") -> str:
    command = [sys.executable, "-c", "from llm.cli import cli; cli()", *arguments]
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=100, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def options(**values: object) -> list[str]:
    return [word for name, value in {**GREEDY, **values}.items() for word in ("-o", name, str(value))]


def test_models_are_found_with_what_they_can_do(llm: ModuleType) -> None:
    assert {TALKER, f"ollama/{CALLER}:latest"} <= {model.model_id for model in llm.get_models()}
    assert llm.get_model(f"ollama/{CALLER}").supports_tools
    assert not llm.get_model(TALKER).supports_tools
    embedding = [model.model_id for model in llm.get_embedding_models()]
    assert [name for name in embedding if name.startswith("ollama/")] == [f"ollama/{EMBEDDER}:latest"]


def test_prompts_whole_and_streamed(llm: ModuleType) -> None:
    model = llm.get_model(TALKER)
    whole = model.prompt(FRANCE, stream=False, **GREEDY)
    assert "Paris" in whole.text()
    assert whole.usage().output > 0
    pieces = list(model.prompt(FRANCE, **GREEDY))
    assert len(pieces) > 2
    assert "".join(pieces) == whole.text()


async def test_prompts_of_async_programs(llm: ModuleType) -> None:
    response = llm.get_async_model(TALKER).prompt(FRANCE, **GREEDY)
    assert "Paris" in "".join([piece async for piece in response])


def test_a_conversation_remembers(llm: ModuleType) -> None:
    conversation = llm.get_model(TALKER).conversation()
    first = conversation.prompt("I am Bob. Greet me by my name.", **GREEDY)
    assert first.text()
    second = conversation.prompt("What is my name?", **GREEDY)
    assert "Bob" in second.text()
    assert second.usage().input > first.usage().input


def test_an_answer_follows_a_schema(llm: ModuleType) -> None:
    schema = llm.schema_dsl("tall bool, old bool")
    response = llm.get_model(TALKER).prompt("Describe a person.", schema=schema, temperature=0, num_predict=80)
    person = json.loads(response.text())
    assert isinstance(person["tall"], bool)
    assert isinstance(person["old"], bool)


def test_a_chain_calls_the_tool_and_uses_its_answer(llm: ModuleType) -> None:
    asked: list[str] = []

    def weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return f"It is sunny in {city}."

    text = llm.get_model(f"ollama/{CALLER}").chain(PUNO, tools=[weather], options={"num_predict": 60}).text()
    assert asked == ["Puno"]
    assert "sunny" in text


def test_embeddings(llm: ModuleType) -> None:
    model = llm.get_embedding_model(f"ollama/{EMBEDDER}")
    one, other = model.embed_multi(["the grass is green", "the llama sleeps"])
    assert len(one) == len(other) == 64
    assert one != other
    assert model.embed("the grass is green") == pytest.approx(one, abs=1e-3)


def test_the_command_line_answers_and_goes_on_with_the_conversation() -> None:
    assert run("-m", TALKER, *options(), stdin="I am Bob. Greet me by my name.").strip()
    assert "Bob" in run("-c", *options(), "What is my name?")


def test_the_command_line_calls_a_tool() -> None:
    function = 'def weather(city: str) -> str:\n    "The weather of a city."\n    return f"It is sunny in {city}."'
    words = run("-m", f"ollama/{CALLER}", "--functions", function, *options(num_predict=60), PUNO)
    assert "sunny" in words


def test_the_command_line_embeds() -> None:
    texts = json.dumps([{"id": "llama", "text": "the llama sleeps"}, {"id": "grass", "text": "green"}])
    run("embed-multi", "hay", "-", "-m", f"ollama/{EMBEDDER}", "--store", stdin=texts)
    found = [json.loads(line) for line in run("similar", "hay", "-c", "the llama sleeps").splitlines()]
    assert [row["id"] for row in found] == ["llama", "grass"]
    assert found[0]["score"] == pytest.approx(1, abs=1e-3)


def test_the_command_line_lists_the_servers_models() -> None:
    listed = run("ollama", "models")
    assert SMOL in listed
    assert f"{EMBEDDER}:latest" in listed
