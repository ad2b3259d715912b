"""`puna up`: everything that Puna serves in one process: the runtime, completions for editors, and the arena."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from puna.cli.answer import AnswerPrinter
from puna.cli.connection import configured
from puna.cli.progress import spinner
from puna.cli.terminal import note, printable, width
from puna.client import quick
from puna.client.client import OllamaClient
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError, ServerUnreachable
from puna.errors import PunaError
from puna.units import NS

if TYPE_CHECKING:
    from puna.serving.listening import Face
    from puna.settings import Settings

EMBEDDED_MODEL = "smollm2:135m"
QUESTION = "In one sentence: what is a llama?"
MOST_TOKENS = 128  # of that sentence: nobody waits for a small model that rambles
START_S = 60.0
_POLL_S = 0.1
_REQUESTS = logging.getLogger("puna.requests")


def up(*, no_auth: bool, show_answer: bool) -> int:
    """Serve until stopped. A second thread waits until the server answers and welcomes the person."""
    from puna.serving.listening import run
    from puna.settings import Settings

    endpoint = configured()
    if _answers(endpoint):
        raise PunaError(
            f"a server already answers at {endpoint.url}: stop it first, or set PUNA_HOST to another address"
        )
    # The other faces and the greeting have a key of their own: the one in the settings may be able to do less.
    inside = replace(endpoint, api_key=secrets.token_urlsafe(32))
    stopped = threading.Event()
    welcomes: list[threading.Thread] = []
    settings = Settings()

    def prepare() -> list[Face]:
        faces = _faces(settings, inside, no_auth=no_auth)
        told = (endpoint, inside, faces, show_answer, stopped)
        welcomes.append(threading.Thread(target=_welcome, args=told, daemon=True))
        welcomes[0].start()
        return [face for face in (faces.runtime, faces.editors, faces.arena) if face is not None]

    try:
        return run(settings, prepare)
    except KeyboardInterrupt:  # before it listens; afterwards the server takes the signal itself
        return 0
    finally:
        stopped.set()
        for welcome in welcomes:
            welcome.join(_POLL_S * 10)  # a thread that writes while Python ends would crash it


@dataclass(frozen=True, slots=True)
class _Faces:
    """What is served; None where a face cannot be, which is said at the start."""

    runtime: Face
    editors: Face | None
    arena: Face | None


def _faces(settings: Settings, endpoint: Endpoint, *, no_auth: bool) -> _Faces:
    """The runtime, and in front of it the others."""
    from puna.api.serve import face as runtime
    from puna.code.face import face as completions

    return _Faces(
        runtime(settings, no_auth=no_auth, companion=endpoint.api_key),
        _or_none(
            lambda: completions(settings, endpoint, no_auth=no_auth),
            "no completions for editors",
            "set PUNA_CODE_HOST to another address",
        ),
        _or_none(
            lambda: _arena(settings, endpoint, no_auth=no_auth),
            "no arena",
            "`puna arena` starts it alone, on another port with --port",
        ),
    )


def _or_none(start: Callable[[], Face], without: str, advice: str) -> Face | None:
    try:
        return start()
    except PunaError as error:
        note(f"Warning: {without}: {error}; {advice}")
        return None


def _arena(settings: Settings, endpoint: Endpoint, *, no_auth: bool) -> Face:
    """Its callers may do what this process may: where the runtime asks for keys, it asks for its token.

    Without one of its own that is `PUNA_API_KEY`, if this opens everything. Raises `PunaError` without any.
    """
    from puna.arena.config import arena_config, named_endpoints
    from puna.arena.face import face
    from puna.database import Database, database_url
    from puna.keys import EVERY_RIGHT, KeyFile, Keyring

    own = settings.api_key.get_secret_value() if settings.api_key else ""
    keys = Keyring(KeyFile(settings.keys), own)
    caller = None if settings.arena_token else keys.identify(own.encode(errors="surrogateescape"))
    token = own if caller is not None and caller.rights == EVERY_RIGHT else ""
    config = arena_config(settings, token=token, allow_open=no_auth)
    if keys.needed and not config.token:
        raise PunaError("this server asks for keys, but WEB_CHAT_TOKEN, the arena's own secret, is not set")
    database = Database(database_url(settings.database))
    upstreams = named_endpoints({}, endpoint)
    return face(config, upstreams, database, listed_hosts=settings.hosts, locked=lambda: keys.needed)


def _welcome(endpoint: Endpoint, inside: Endpoint, faces: _Faces, show_answer: bool, stopped: threading.Event) -> None:
    """`endpoint` is as other programs see it, `inside` with the key of this process."""
    with _without_request_log():
        if not _wait(endpoint, stopped):
            return
        model, failure = "", ""
        try:
            model = asyncio.run(_greet(inside, show_answer))
        except ClientError as error:
            failure = f"Warning: {error}"
        if not _answers(endpoint):  # stopped meanwhile
            return
        if failure:
            note(failure)
        print(f"\nPuna runs at {endpoint.url} (stop it with Ctrl-C).", flush=True)
        if model:
            print(f"Chat in another terminal:  {_command(endpoint)} run {printable(model)}", flush=True)
        if faces.arena:
            print(f"Compare models in a browser at {faces.arena.listener.url}", flush=True)
        print(f"Its API is described at {endpoint.url}/openapi.json", flush=True)
        if faces.editors:
            told = f"Editors complete at {faces.editors.listener.url} (docs/editors.md has the settings to paste)."
            print(told, flush=True)


@contextmanager
def _without_request_log() -> Iterator[None]:
    """Our own requests would be logged into the middle of the answer that they print."""
    before = _REQUESTS.level
    _REQUESTS.setLevel(logging.WARNING)
    try:
        yield
    finally:
        _REQUESTS.setLevel(before)


def _wait(endpoint: Endpoint, stopped: threading.Event) -> bool:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and not stopped.is_set():
        if _answers(endpoint):
            return True
        stopped.wait(_POLL_S)
    return False


def _answers(endpoint: Endpoint) -> bool:
    try:
        quick.heartbeat(endpoint)
    except ServerUnreachable:
        return False
    return True


async def _greet(endpoint: Endpoint, show_answer: bool) -> str:
    """The model to chat with, empty when there is none; with `show_answer` it says something first."""
    async with OllamaClient(endpoint) as client:
        model = await _talker(client)
        if show_answer and model:
            await _ask(client, model)
        elif show_answer:
            print("\nNo model that can answer is here yet: make one from a GGUF file with `puna create`.", flush=True)
    return model


async def _talker(client: OllamaClient) -> str:
    """The embedded model, else the newest that completes text and is stored here; empty when there is none."""
    names = [str(model.get("name", "")) for model in await client.tags() if not model.get("remote_model")]
    if EMBEDDED_MODEL in names:
        return EMBEDDED_MODEL
    for name in names:
        try:
            if "completion" in (await client.show(name)).get("capabilities", ()):
                return name
        except ClientError as error:  # a model with a broken file is no reason not to ask the next one
            note(f"Warning: {name}: {error}")
    return ""


async def _ask(client: OllamaClient, model: str) -> None:
    """One question, with the speed of its answer."""
    request = {
        "model": model,
        "messages": [{"role": "user", "content": QUESTION}],
        "think": False,
        "options": {"num_predict": MOST_TOKENS},
    }
    printer = AnswerPrinter(sys.stdout, width=width(), wrap=True, hide_thinking=True)
    final: Mapping[str, Any] = {}
    print(f"\n{printable(model)} >>> {QUESTION}", flush=True)
    with ExitStack() as waiting:
        waiting.enter_context(spinner())
        async with aclosing(client.chat(request)) as lines:
            async for line in lines:
                waiting.close()  # the spinner goes before the first text comes
                message = line.get("message") or {}
                printer.feed(message.get("content", ""), message.get("thinking", ""))
                final = line
    printer.finish()
    count, duration = int(final.get("eval_count") or 0), int(final.get("eval_duration") or 0)
    speed = f"{count / duration * NS:.1f} tokens/s" if duration else "speed unknown"
    print(f"\n({count} tokens, {speed})", flush=True)


def _command(endpoint: Endpoint) -> str:
    """How another terminal reaches this server: the program as it was started, and the settings that differ."""
    settings = []
    if endpoint.url != Endpoint().url:
        settings.append(f"PUNA_HOST={endpoint.url.removeprefix('http://')} ")
    if endpoint.api_key:
        settings.append("PUNA_API_KEY=... ")
    started = Path(sys.argv[0])
    on_path = shutil.which("puna")
    known = started.name != "puna" or (on_path is not None and Path(on_path).samefile(started))
    return "".join(settings) + ("puna" if known else str(started))
