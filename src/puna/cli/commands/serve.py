"""`puna serve`: the runtime in the foreground (contract ollama-store §6.2)."""

from __future__ import annotations

import os
import signal
import threading
import time

_STDIN = 0
GRACE_S = 10.0  # how long a parent's end waits for an orderly one of ours


def serve(*, no_auth: bool, until_stdin_closes: bool = False) -> int:
    """Serve until stopped; for an embedded runtime also until the process that started it is gone."""
    from puna.api.serve import face
    from puna.serving.listening import run
    from puna.settings import Settings

    if until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_stdin, daemon=True).start()
    try:
        settings = Settings()
        return run(settings, lambda: [face(settings, no_auth=no_auth)])
    except KeyboardInterrupt:  # before it listens; afterwards the server takes the signal itself
        return 0


def _stop_at_end_of_stdin() -> None:
    while os.read(_STDIN, 1024):  # not through `sys.stdin`: Python cannot end while a thread waits in its buffer
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)
