"""An embedded runtime: `puna serve` as a child of this process, for as long as a command needs it.

The child listens on a free loopback port with a fresh key, so that no other user of the machine can use it. Between
choosing the port and binding it another process could take it: only a server that refuses a request without the key
is believed to be ours. The child leaves when its standard input closes, which also happens when this process is
killed.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import IO

from puna import environment
from puna.client import quick
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError, ServerUnreachable

SERVE = (sys.executable, "-m", "puna.cli", "serve", "--until-stdin-closes")
START_S = 60.0  # a cold disk and a large store on a slow machine
STOP_S = 10.0
_POLL_S = 0.05


@contextmanager
def embedded_runtime(command: Sequence[str] = SERVE) -> Iterator[Endpoint]:
    """Start a runtime, wait until it answers, stop it at the end. Blocks; raises `ServerUnreachable`."""
    endpoint = Endpoint(port=_free_port(), api_key=secrets.token_urlsafe(32))
    variables = environment.inherited(PUNA_HOST=f"{endpoint.host}:{endpoint.port}", PUNA_API_KEY=endpoint.api_key or "")
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=variables,
            start_new_session=True,  # Ctrl-C in the terminal stops an answer, not the server
        )
        try:
            _wait_until_ready(child, endpoint, log)
            yield endpoint
        finally:
            _stop(child)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(child: subprocess.Popen[bytes], endpoint: Endpoint, log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise ServerUnreachable(f"the embedded runtime did not start: {_last_line(log)}")
        if _is_ours(endpoint):
            return
        time.sleep(_POLL_S)
    raise ServerUnreachable(f"the embedded runtime did not answer within {START_S:.0f} s: {_last_line(log)}")


def _is_ours(endpoint: Endpoint) -> bool:
    """Whether the answering server knows the key of this start, and refuses those who do not."""
    try:
        quick.get(replace(endpoint, api_key=None), "/api/version")
    except ServerUnreachable:
        return False
    except ClientError as error:
        if error.status != 401:
            return False
    else:
        return False
    try:
        quick.get(endpoint, "/api/version")
    except ClientError:
        return False
    return True


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip().removeprefix("Error: ") if lines else "it said nothing"


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
