"""The slash commands (contract ollama-store §6.6). They match by prefix, as the reference's do: `/byebye` leaves."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from puna.cli.chat.help import SHOW, help_text
from puna.cli.chat.session import Session
from puna.cli.chat.settings import set_command
from puna.cli.commands.listing import listing
from puna.cli.progress import spinner
from puna.cli.summary import summary
from puna.cli.terminal import printable
from puna.client.client import OllamaClient
from puna.client.errors import ClientError
from puna.errors import InvalidName
from puna.names import ModelName


@dataclass(frozen=True, slots=True)
class Context:
    """What a command works with: the server, the session so far, the words behind the command."""

    client: OllamaClient
    session: Session
    words: list[str]


Handler = Callable[[Context], Awaitable[Session | None]]


async def run_command(client: OllamaClient, session: Session, line: str) -> Session | None:
    """Run one line that begins with `/`; the session after it, None to leave. Raises `ClientError`."""
    for prefix, handler in _COMMANDS.items():
        if line.startswith(prefix):
            return await handler(Context(client, session, line.split()[1:]))
    _say(f"Unknown command '{(line.split() or ['/'])[0]}'. Type /? for help\n")
    return session


async def open_model(client: OllamaClient, session: Session, model: str, info: Mapping[str, Any]) -> Session:
    """Load a model into the server's memory, and begin a conversation with it by showing its own messages."""
    session = session.with_model(model, info)
    with spinner():
        async with aclosing(client.generate(session.load_request())) as lines:
            async for _ in lines:
                pass
    for message in session.presets:
        if message.get("role") == "user":
            _say(f">>> {message.get('content', '')}\n")
        elif message.get("role") == "assistant":
            _say(f"{message.get('content', '')}\n\n")
    return session


async def _list(context: Context) -> Session:
    prefix = context.words[0] if context.words else ""
    _say(listing(await context.client.tags(), prefix, datetime.now(UTC)))
    return context.session


async def _load(context: Context) -> Session:
    if len(context.words) != 1:
        _say("Usage:\n  /load <modelname>\n")
        return context.session
    (model,) = context.words
    _say(f"Loading model '{model}'\n")
    try:
        info = await context.client.show(model)
        return await open_model(context.client, context.session, model, info)
    except ClientError as error:
        if error.status >= 500:
            raise
        _say(f"Couldn't find model '{model}'\n" if error.status == 404 else f"error: {error.text}\n")
        return context.session


async def _save(context: Context) -> Session:
    if len(context.words) != 1:
        _say("Usage:\n  /save <modelname>\n")
        return context.session
    (target,) = context.words
    try:
        ModelName.parse(target)
    except InvalidName:
        _say(f"error: The model name '{target}' is invalid\n")
        return context.session
    async with aclosing(context.client.create(context.session.create_request(target))) as lines:
        async for _ in lines:
            pass
    _say(f"Created new model '{target}'\n")
    return context.session


async def _clear(context: Context) -> Session:
    _say("Cleared session context\n")
    return context.session.cleared()


async def _set(context: Context) -> Session:
    outcome = set_command(context.session, context.words)
    _say(outcome.out)
    _say_aside(outcome.err)
    return outcome.session


async def _show(context: Context) -> Session:
    what = context.words[0] if context.words else ""
    if what not in _SHOWN:
        _say_aside(SHOW if not what else f"Unknown command '/show {what}'. Type /? for help\n")
        return context.session
    answer = await context.client.show(context.session.model)
    if what == "info":
        _say_aside(summary(answer))
    else:
        _say(_shown_text(what, answer, context.session))
    return context.session


async def _help(context: Context) -> Session:
    _say_aside(help_text(context.words))
    return context.session


async def _leave(context: Context) -> None:
    return None


_SHOWN = {
    "info": "",
    "license": "No license was specified for this model.",
    "modelfile": "",
    "parameters": "  No additional parameters were specified for this model.",
    "system": "No system message was specified for this model.",
    "template": "No prompt template was specified for this model.",
}


def _shown_text(what: str, answer: Mapping[str, Any], session: Session) -> str:
    text = str(answer.get(what) or "")
    if what == "parameters":
        return _parameters_text(text, session.parameters)
    if what == "system":
        text = session.system or text
    return f"{text or _SHOWN[what]}\n\n"


def _parameters_text(stored: str, own: Mapping[str, Any]) -> str:
    lines = ["Model defined parameters:", *(f"  {line}" for line in stored.splitlines())]
    if not stored:
        lines = [_SHOWN["parameters"]]
    if own:
        lines += ["", "User defined parameters:"]
        for name, value in own.items():
            values = value if isinstance(value, list) else [value]
            lines += (f"  {name:<30} {item}" for item in values)
    return "\n".join(lines) + "\n\n"


def _say(text: str) -> None:
    sys.stdout.write(printable(text))
    sys.stdout.flush()


def _say_aside(text: str) -> None:
    sys.stderr.write(printable(text))
    sys.stderr.flush()


_COMMANDS: dict[str, Handler] = {
    "/list": _list,
    "/load": _load,
    "/save": _save,
    "/clear": _clear,
    "/set": _set,
    "/show": _show,
    "/help": _help,
    "/?": _help,
    "/exit": _leave,
    "/bye": _leave,
}
