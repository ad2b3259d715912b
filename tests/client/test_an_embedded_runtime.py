"""A runtime of one's own: started when needed, gone with the process that needed it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from puna.client import ServerUnreachable, embedded_runtime, quick

# A stand-in for `puna serve`: it listens where PUNA_HOST says, wants the key, and leaves when stdin closes.
SERVER = """
import http.server, json, os, sys, threading
host, _, port = os.environ["PUNA_HOST"].rpartition(":")
key = os.environ["PUNA_API_KEY"]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = OPEN or self.headers.get("Authorization") == f"Bearer {key}"
        body = json.dumps({"version": "0.33.0", "pid": os.getpid()} if good else {"error": "unauthorized"}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
OPEN = "open" in sys.argv
threading.Thread(target=http.server.HTTPServer((host, int(port)), Handler).serve_forever, daemon=True).start()
sys.stdin.buffer.read()
"""
COMMAND = (sys.executable, "-c", SERVER)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def gone_soon(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_it_answers_with_a_key_of_its_own_and_leaves_at_the_end() -> None:
    with embedded_runtime(COMMAND) as endpoint:
        assert endpoint.is_loopback
        assert endpoint.api_key is not None
        assert len(endpoint.api_key) > 40
        pid = quick.get(endpoint, "/api/version")["pid"]
    assert not alive(pid)


def test_two_starts_have_two_keys() -> None:
    with embedded_runtime(COMMAND) as one, embedded_runtime(COMMAND) as other:
        assert one.api_key != other.api_key
        assert one.port != other.port


def test_a_child_that_cannot_start_is_quoted() -> None:
    script = "import sys; print('noise', file=sys.stderr); sys.exit('Error: the store is broken')"
    message = "did not start: the store is broken"
    with pytest.raises(ServerUnreachable, match=message), embedded_runtime((sys.executable, "-c", script)):
        pass


def test_T26_a_server_that_takes_anyone_is_not_believed_to_be_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("puna.client.embedded.START_S", 1.0)
    with pytest.raises(ServerUnreachable, match="did not answer"), embedded_runtime((*COMMAND, "open")):
        pass


def test_T26_it_leaves_when_its_parent_is_killed() -> None:
    script = (
        "import sys, time\nfrom puna.client import embedded_runtime, quick\n"
        f"with embedded_runtime((sys.executable, '-c', {SERVER!r})) as endpoint:\n"
        "    print(quick.get(endpoint, '/api/version')['pid'], flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert gone_soon(pid)
