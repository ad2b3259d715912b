"""A person at a terminal: `puna run` as a child process behind a pty."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>])")

# The pty becomes the program's own terminal, so that Ctrl-C reaches it as a signal.
LOGIN = """
import os, sys
os.login_tty(0)
os.execv(sys.executable, [sys.executable, "-m", "puna.cli", "run", *sys.argv[1:]])
"""


class Terminal:
    """A person at a terminal: types, and waits until something appears."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")()
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
                data = self._decoder.decode(os.read(self._descriptor, 65536))
                self._seen += data
                if "\x1b[6n" in data:  # prompt_toolkit asks where the cursor is
                    self.type("\x1b[1;1R")
        before, _, self._seen = plain.partition(text)
        return before + text


@contextmanager
def chatting(model: str, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A session with `model` that is ready for the first message, and is left with Ctrl-D at the end."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", LOGIN, model],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**environment, "TERM": "xterm", "COLUMNS": "200", "LINES": "50"},
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
