"""`puna serve`: the runtime in the foreground (contract ollama-store §6.2)."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

GRACE_S = 10.0  # how long a parent's end waits for an orderly one of ours


def serve(*, no_auth: bool, until_stdin_closes: bool = False) -> int:
    """Serve until stopped; for an embedded runtime also until the process that started it is gone."""
    from puna.api.serve import run
    from puna.settings import Settings

    if until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_stdin, daemon=True).start()
    return run(Settings(), no_auth=no_auth)


def _stop_at_end_of_stdin() -> None:
    while sys.stdin.buffer.read(1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)
