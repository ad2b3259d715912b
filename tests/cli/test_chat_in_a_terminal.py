"""The whole session in a real terminal: a child process behind a pty."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from puna.client import Endpoint
from tests.client.fake_server import FakeServer

ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>])")

# The pty becomes the program's own terminal, so that Ctrl-C reaches it as a signal.
LOGIN = """
import os, sys
os.login_tty(0)
os.execv(sys.executable, [sys.executable, "-m", "puna.cli", "run", "tiny"])
"""


class Terminal:
    """A person at a terminal: types, and waits until something appears."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._seen = ""

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def wait_for(self, text: str, seconds: float = 15.0) -> str:
        """What appeared since the last wait, up to and with `text`."""
        deadline = time.monotonic() + seconds
        while text not in (plain := ESCAPES.sub("", self._seen).replace("\r", "")):
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not appear in {plain!r}"
            if select.select([self._descriptor], [], [], left)[0]:
                data = os.read(self._descriptor, 65536).decode()
                self._seen += data
                if "\x1b[6n" in data:  # prompt_toolkit asks where the cursor is
                    self.type("\x1b[1;1R")
        before, _, self._seen = plain.partition(text)
        return before + text


@pytest.fixture
def terminal(endpoint: Endpoint, home: Path) -> Iterator[Terminal]:
    editor = home / "editor.py"
    editor.write_text("import sys, pathlib\npathlib.Path(sys.argv[1]).write_text('from the editor\\n')")
    environment = {
        **os.environ,
        "OLLAMA_HOST": endpoint.url,
        "OLLAMA_EDITOR": f"{sys.executable} {editor}",
        "TERM": "xterm",
        "COLUMNS": "200",
        "LINES": "50",
    }
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", LOGIN], stdin=follower, stdout=follower, stderr=follower, env=environment
    )
    os.close(follower)
    try:
        terminal = Terminal(leader)
        terminal.wait_for("Send a message (/? for help)")
        yield terminal
        terminal.type("\x04")
        assert child.wait(10) == 0
    finally:
        child.kill()
        child.wait()
        os.close(leader)


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
    _, err = child.communicate(timeout=10)
    assert (child.returncode, err) == (0, b"")
