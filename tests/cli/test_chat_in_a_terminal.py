"""The whole session in a real terminal: a child process behind a pty."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.client import Endpoint
from tests.cli.terminals import Terminal, chatting
from tests.client.fake_server import FakeServer


@pytest.fixture
def terminal(endpoint: Endpoint, home: Path) -> Iterator[Terminal]:
    editor = home / "editor.py"
    editor.write_text("import sys, pathlib\npathlib.Path(sys.argv[1]).write_text('from the editor\\n')")
    environment = {**os.environ, "OLLAMA_HOST": endpoint.url, "OLLAMA_EDITOR": f"{sys.executable} {editor}"}
    with chatting("tiny", environment) as terminal:
        yield terminal


def test_a_conversation(terminal: Terminal, server: FakeServer, home: Path) -> None:
    terminal.type("hi\r")
    terminal.wait_for("Hello there")
    terminal.wait_for("Send a message")
    terminal.type("two\nlines\r")
    terminal.wait_for("Hello there")
    terminal.wait_for("Send a message")
    terminal.type('"""\r')
    terminal.wait_for("Press Enter to send")
    terminal.type('quoted"""\r')
    terminal.wait_for("Hello there")
    terminal.wait_for("Send a message")
    said = [message["content"] for message in server.bodies("/api/chat")[-1]["messages"]]
    assert said == ["hi", "Hello there", "two\nlines", "Hello there", "\nquoted"]
    assert (home / ".ollama" / "history").read_text().splitlines()[0] == "hi"


def test_ctrl_c_drops_a_line_and_stops_an_answer(terminal: Terminal, server: FakeServer) -> None:
    terminal.type("nonsense\x03")
    terminal.wait_for("Use Ctrl + d or /bye to exit.")
    terminal.wait_for("Send a message")
    server.endless = True
    terminal.type("talk\r")
    terminal.wait_for("Hello there")
    terminal.type("\x03")
    terminal.wait_for("Send a message")
    server.endless = False
    terminal.type("again\r")
    terminal.wait_for("Send a message")
    assert [message["role"] for message in server.bodies("/api/chat")[-1]["messages"]] == ["user", "assistant", "user"]


def test_what_is_typed_during_an_answer_waits_unseen_for_the_next_prompt(
    terminal: Terminal, server: FakeServer
) -> None:
    server.endless = True
    terminal.type("talk\r")
    terminal.wait_for("Hello there")
    terminal.type("and then?\r/set verbose\r")
    server.endless = False
    assert "and then?" not in terminal.wait_for(">>> ")
    terminal.wait_for("and then?")
    terminal.wait_for("Set 'verbose' mode.")
    terminal.wait_for("Send a message")
    assert server.bodies("/api/chat")[-1]["messages"][-1] == {"role": "user", "content": "and then?"}


def test_ctrl_c_also_drops_what_was_typed_during_the_answer(terminal: Terminal, server: FakeServer) -> None:
    server.endless = True
    terminal.type("talk\r")
    terminal.wait_for("Hello there")
    terminal.type("dropped\x03")
    terminal.wait_for("Send a message")
    server.endless = False
    terminal.type("again\r")
    assert "dropped" not in terminal.wait_for("Hello there")
    terminal.wait_for("Send a message")
    assert server.bodies("/api/chat")[-1]["messages"][-1] == {"role": "user", "content": "again"}


def test_a_long_line_has_no_marks_inside(terminal: Terminal, server: FakeServer) -> None:
    terminal.type("a" * 700)
    terminal.type("b\r")
    assert "..." not in terminal.wait_for("Hello there")
    terminal.wait_for("Send a message")
    assert server.bodies("/api/chat")[0]["messages"][-1]["content"] == "a" * 700 + "b"


def test_T25_a_model_cannot_send_control_codes_to_the_terminal(terminal: Terminal, server: FakeServer) -> None:
    server.pieces = [{"content": "a\x1b]52;c;c2VjcmV0\x07b\x9b2Jc"}]
    terminal.type("hi\r")
    assert "a]52;c;c2VjcmV0b2Jc" in terminal.wait_for("2Jc")
    terminal.wait_for("Send a message")


def test_an_answer_that_the_server_refuses_ends_the_session_only_if_it_must(
    terminal: Terminal, server: FakeServer
) -> None:
    server.pieces = [{"error": '"tiny" does not support thinking'}]
    terminal.type("/set think\r")
    terminal.wait_for('warning: model "tiny" does not support thinking output')
    terminal.wait_for("Send a message")
    terminal.type("hi\r")
    terminal.wait_for('error: "tiny" does not support thinking')
    terminal.wait_for("Send a message")


def test_the_keys_of_the_line_editor(terminal: Terminal, server: FakeServer) -> None:
    terminal.type("gone\x15a\tb\r")  # Ctrl-U deletes, Tab is eight blanks
    terminal.wait_for("Hello there")
    terminal.wait_for("Send a message")
    terminal.type("draft\x07")  # Ctrl-G
    terminal.wait_for("from the editor")
    terminal.type("\r")
    terminal.wait_for("Hello there")
    terminal.wait_for("Send a message")
    said = [message["content"] for message in server.bodies("/api/chat")[-1]["messages"]]
    assert said[::2] == ["a        b", "from the editor"]


def test_what_was_set_shows_in_the_next_request(terminal: Terminal, server: FakeServer) -> None:
    for command, answer in (
        ("/set system Be brief.", "Set system message."),
        ("/set parameter seed 7", "Set parameter 'seed' to '7'"),
        ("/set verbose", "Set 'verbose' mode."),
    ):
        terminal.type(f"{command}\r")
        terminal.wait_for(answer)
        terminal.wait_for("Send a message")
    terminal.type("hi\r")
    terminal.wait_for("eval rate:            10.00 tokens/s")
    terminal.wait_for("Send a message")
    (request,) = server.bodies("/api/chat")
    assert request["options"] == {"seed": 7}
    assert request["messages"][0] == {"role": "system", "content": "Be brief."}


def test_ctrl_c_during_one_answer_is_no_failure(endpoint: Endpoint, server: FakeServer) -> None:
    server.endless = True
    child = subprocess.Popen(
        [sys.executable, "-m", "puna.cli", "run", "tiny", "hi"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"OLLAMA_HOST": endpoint.url},
    )
    assert child.stdout is not None
    child.stdout.read(5)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, b"")
