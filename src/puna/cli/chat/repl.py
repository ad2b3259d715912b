"""The session's loop: read an entry, run it as a command or send it as a message, print what comes back."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine, Mapping
from contextlib import ExitStack, aclosing
from typing import Any, TypeVar

from puna import environment
from puna.cli.answer import AnswerPrinter, metrics
from puna.cli.chat.commands import open_model, run_command
from puna.cli.chat.entries import Command, Entry, EntryReader, Message, SystemMessage
from puna.cli.chat.history import FileHistory, history_file
from puna.cli.chat.prompt import LineEditor
from puna.cli.chat.session import Session
from puna.cli.chat.settings import set_system
from puna.cli.chat.typeahead import typeahead
from puna.cli.media import attach, is_media_path
from puna.cli.options import RunOptions
from puna.cli.progress import spinner
from puna.cli.terminal import note, printable, width
from puna.client.client import OllamaClient
from puna.client.errors import ClientError
from puna.errors import BadRequest

Result = TypeVar("Result")

# What the server says about one request only; after anything else there is no use in going on.
_RECOVERABLE = ("does not support thinking", "invalid think value")


async def chat(client: OllamaClient, model: str, info: Mapping[str, Any], options: RunOptions) -> None:
    """Talk until the person leaves. Raises `ClientError` when the server cannot go on."""
    with typeahead() as keys_wait:
        session: Session | None = await open_model(client, Session(model, options), model, info)
        history = FileHistory(history_file(), enabled=not environment.flag("NOHISTORY"))
        remembers = history.enabled
        editor, reader = LineEditor(history), EntryReader()
        while session is not None:
            history.enabled = remembers and session.history
            try:
                entry = reader.feed(await editor.read(continued=reader.is_open))
            except EOFError:
                return
            except KeyboardInterrupt:
                reader.reset()
                print("\nUse Ctrl + d or /bye to exit.")
                continue
            if entry is not None:
                keys_wait()
                session = await _take(client, session, entry)


async def _take(client: OllamaClient, session: Session, entry: Entry) -> Session | None:
    match entry:
        case SystemMessage(text):
            outcome = set_system(session, text)
            sys.stdout.write(outcome.out)
            return outcome.session
        case Command(line) if not (session.sees_media and is_media_path(line)):
            return await run_command(client, session, line)
        case Command(text) | Message(text):
            return await _send(client, session, text)


async def _send(client: OllamaClient, session: Session, text: str) -> Session:
    """Send a message and print the answer; the session with both, or as it was when the server refused."""
    images: tuple[str, ...] = ()
    if session.sees_media:
        try:
            attached = attach(text)
        except BadRequest as error:
            note(str(error))
            return session
        text, images = attached.text, attached.files
        for line in attached.notes:
            note(line)
    asked = session.with_message("user", text, images=list(images))
    options = session.options
    printer = AnswerPrinter(sys.stdout, width=width(), wrap=options.wordwrap, hide_thinking=options.hide_thinking)
    try:
        final = await _interruptible(_answer(client, asked, printer))
    except ClientError as error:
        if any(text in error.text for text in _RECOVERABLE):
            print(printable(f"error: {error.text}"))
        elif "upstream error" in error.text:
            print(printable(f"the server could not answer ({error.text}); try again in a moment"))
        else:
            raise
        return session
    print("\n")
    if options.verbose and final:
        sys.stderr.write(metrics(final))
    if not printer.text and not printer.thinking:
        return asked
    return asked.with_message("assistant", printer.text, thinking=printer.thinking)


async def _answer(client: OllamaClient, session: Session, printer: AnswerPrinter) -> Mapping[str, Any]:
    """Print the answer to the session's last message; its last line, which carries the numbers."""
    final: Mapping[str, Any] = {}
    try:
        with ExitStack() as waiting:
            waiting.enter_context(spinner())
            async with aclosing(client.chat(session.chat_request())) as lines:
                async for line in lines:
                    waiting.close()  # the spinner goes before the first text comes
                    message = line.get("message") or {}
                    printer.feed(message.get("content", ""), message.get("thinking", ""), message.get("tool_calls"))
                    final = line
    finally:
        printer.finish()
    return final


async def _interruptible(work: Coroutine[None, None, Result]) -> Result | None:
    """Run `work` until it is done or the person presses Ctrl-C, which gives None; what was printed so far stands."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        await asyncio.wait([task])
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        task.cancel()
    return None if task.cancelled() else task.result()
