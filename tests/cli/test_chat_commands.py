"""Slash commands that ask the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from puna.cli.chat.commands import open_model, run_command
from puna.cli.chat.session import Session
from puna.cli.options import RunOptions
from puna.client import ClientError, OllamaClient
from tests.client.fake_server import FakeServer, running

SESSION = Session("tiny", RunOptions())


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[OllamaClient]:
    async with running(server) as endpoint, OllamaClient(endpoint) as client:
        yield client


Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("line", ["/bye", "/byebye", "/exit"])
async def test_leaving(client: OllamaClient, line: str) -> None:
    assert await run_command(client, SESSION, line) is None


async def test_an_unknown_command_is_told(client: OllamaClient, capsys: Capture) -> None:
    assert await run_command(client, SESSION, "/nonsense now") is SESSION
    assert capsys.readouterr().out == "Unknown command '/nonsense'. Type /? for help\n"


@pytest.mark.parametrize(
    ("line", "text"), [("/?", "/bye"), ("/help", "/load"), ("/? shortcuts", "Ctrl + g"), ("/help set", "/set think")]
)
async def test_help_goes_to_stderr(client: OllamaClient, capsys: Capture, line: str, text: str) -> None:
    await run_command(client, SESSION, line)
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.out == ""


async def test_show_prints_a_part_or_says_that_there_is_none(
    client: OllamaClient, server: FakeServer, capsys: Capture
) -> None:
    async def out(line: str, session: Session = SESSION) -> str:
        await run_command(client, session, line)
        return capsys.readouterr().out

    assert await out("/show license") == "No license was specified for this model.\n\n"
    assert await out("/show system") == "No system message was specified for this model.\n\n"
    assert await out("/show template") == "No prompt template was specified for this model.\n\n"
    assert await out("/show parameters") == "  No additional parameters were specified for this model.\n\n"
    server.models["tiny"] |= {"license": "MIT", "system": "stored", "parameters": "seed      1"}
    assert await out("/show license") == "MIT\n\n"
    assert await out("/show system") == "stored\n\n"
    assert await out("/show system", SESSION.with_system("mine")) == "mine\n\n"
    assert await out("/show parameters", SESSION.with_parameters({"stop": ["a", "b"]})) == (
        f"Model defined parameters:\n  seed      1\n\nUser defined parameters:\n  {'stop':<30} a\n  {'stop':<30} b\n\n"
    )


async def test_show_info_is_the_summary_on_stderr(client: OllamaClient, capsys: Capture) -> None:
    await run_command(client, SESSION, "/show info")
    assert capsys.readouterr().err.startswith("  Model\n    architecture    llama")
    await run_command(client, SESSION, "/show")
    assert "/show info" in capsys.readouterr().err


async def test_load_changes_the_model_or_keeps_the_old_one(
    client: OllamaClient, server: FakeServer, capsys: Capture
) -> None:
    server.models["other"] = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    talked = SESSION.with_message("user", "hi")
    loaded = await run_command(client, talked, "/load other")
    assert loaded is not None
    assert (loaded.model, loaded.messages) == ("other", ())
    assert capsys.readouterr().out == "Loading model 'other'\n>>> q\na\n\n"
    assert server.bodies("/api/generate") == [{"model": "other"}]
    assert await run_command(client, talked, "/load nope") is talked
    assert capsys.readouterr().out == "Loading model 'nope'\nCouldn't find model 'nope'\n"
    assert await run_command(client, talked, "/load") is talked
    assert capsys.readouterr().out == "Usage:\n  /load <modelname>\n"


async def test_save_creates_a_model_from_the_session(client: OllamaClient, server: FakeServer, capsys: Capture) -> None:
    await run_command(client, SESSION.with_system("s"), "/save mine")
    assert capsys.readouterr().out == "Created new model 'mine'\n"
    assert server.bodies("/api/create")[0]["system"] == "s"
    await run_command(client, SESSION, "/save a//b")
    assert capsys.readouterr().out == "error: The model name 'a//b' is invalid\n"
    await run_command(client, SESSION, "/save")
    assert capsys.readouterr().out == "Usage:\n  /save <modelname>\n"


async def test_clear_and_list(client: OllamaClient, capsys: Capture) -> None:
    cleared = await run_command(client, SESSION.with_message("user", "hi"), "/clear")
    assert cleared == SESSION
    assert capsys.readouterr().out == "Cleared session context\n"
    await run_command(client, SESSION, "/list tiny")
    assert "tiny:latest" in capsys.readouterr().out


async def test_opening_a_model_loads_it_with_the_persons_choices(client: OllamaClient, server: FakeServer) -> None:
    options = RunOptions(keep_alive="5m0s", output_format="json")
    session = await open_model(client, replace(SESSION, options=options), "tiny", {"capabilities": ["thinking"]})
    assert server.bodies("/api/generate") == [{"model": "tiny", "keep_alive": "5m0s", "think": True}]
    assert session.thinks


async def test_a_broken_server_ends_the_session(client: OllamaClient) -> None:
    with pytest.raises(ClientError):
        await run_command(client, replace(SESSION, model="gone"), "/show info")
