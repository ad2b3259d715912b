"""`puna up`: everything that Puna serves in one process. Today that is the runtime."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from puna.cli.answer import AnswerPrinter
from puna.cli.commands.serve import serve
from puna.cli.connection import configured
from puna.cli.terminal import note, printable, width
from puna.client import quick
from puna.client.client import OllamaClient
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError, ServerUnreachable
from puna.errors import PunaError
from puna.units import NS

EMBEDDED_MODEL = "smollm2:135m"
QUESTION = "In one sentence: what is a llama?"
START_S = 60.0
_POLL_S = 0.1


def up(*, no_auth: bool, show_answer: bool) -> int:
    """Serve until stopped. A second thread waits until the server answers and welcomes the person."""
    endpoint = configured()
    try:
        quick.heartbeat(endpoint)
    except ServerUnreachable:
        pass
    else:
        raise PunaError(
            f"a server already answers at {endpoint.url}: stop it first, or set PUNA_HOST to another address"
        )
    threading.Thread(target=_welcome, args=(endpoint, show_answer), daemon=True).start()
    return serve(no_auth=no_auth)


def _welcome(endpoint: Endpoint, show_answer: bool) -> None:
    if not _wait(endpoint):
        return
    try:
        if show_answer:
            asyncio.run(_ask(endpoint))
        model = _first_model(endpoint)
    except ClientError as error:
        note(f"Warning: {error}")
        model = ""
    print(f"\nPuna runs at {endpoint.url} (stop it with Ctrl-C).", flush=True)
    if model:
        print(f"Chat in another terminal:  puna run {printable(model)}", flush=True)


def _wait(endpoint: Endpoint) -> bool:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            quick.heartbeat(endpoint)
        except ServerUnreachable:
            time.sleep(_POLL_S)
        else:
            return True
    return False


def _first_model(endpoint: Endpoint) -> str:
    models = quick.get(endpoint, "/api/tags").get("models") or [{}]
    return str(models[0].get("name", ""))


async def _ask(endpoint: Endpoint) -> None:
    """One question to the embedded model, with the speed of its answer."""
    request = {"model": EMBEDDED_MODEL, "messages": [{"role": "user", "content": QUESTION}]}
    printer = AnswerPrinter(sys.stdout, width=width(), wrap=True, hide_thinking=True)
    final: Mapping[str, Any] = {}
    print(f"\n{EMBEDDED_MODEL} >>> {QUESTION}", flush=True)
    async with OllamaClient(endpoint) as client, aclosing(client.chat(request)) as lines:
        async for line in lines:
            printer.feed(line.get("message", {}).get("content", ""))
            final = line
    printer.finish()
    count, duration = int(final.get("eval_count") or 0), int(final.get("eval_duration") or 0)
    speed = f"{count / duration * NS:.1f} tokens/s" if duration else "speed unknown"
    print(f"\n({count} tokens, {speed})", flush=True)
