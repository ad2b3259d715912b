"""A person at a terminal: `puna` as a child process behind a pty."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>])")

# The pty becomes the program's own terminal, so that Ctrl-C reaches it as a signal.
LOGIN = """
import os, sys
os.login_tty(0)
os.execv(sys.executable, [sys.executable, "-m", "puna.cli", *sys.argv[1:]])
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

    def rest(self) -> str:
        """Everything until the program ends, escape sequences included."""
        while True:
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:  # Linux: nobody holds the other end
                return self._seen
            self._seen += self._decoder.decode(data)


@contextmanager
def typing(
    words: Sequence[str], environment: Mapping[str, str], *, columns: int = 200, rows: int = 50
) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    """`puna` with these words on a terminal of that size. It is killed at the end if it has not ended by itself."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (rows, columns))
    child = subprocess.Popen(
        [sys.executable, "-c", LOGIN, *words],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**environment, "TERM": "xterm", "COLUMNS": str(columns), "LINES": str(rows)},
    )
    os.close(follower)
    try:
        yield Terminal(leader), child
    finally:
        child.kill()
        child.wait()
        os.close(leader)


@contextmanager
def chatting(model: str, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A session with `model` that is ready for the first message, and is left with Ctrl-D at the end."""
    with typing(["run", model], environment) as (terminal, child):
        terminal.wait_for("Send a message (/? for help)")
        yield terminal
        terminal.type("\x04")
        assert child.wait(10) == 0
