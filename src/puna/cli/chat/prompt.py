"""The line editor of the session: prompt_toolkit with the reference's keys (contract ollama-store §6.6)."""

from __future__ import annotations

import asyncio

from prompt_toolkit import PromptSession
from prompt_toolkit.application import in_terminal
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from puna.cli.chat.editor import edit

PROMPT, CONTINUATION = ">>> ", "... "
TAB = " " * 8
_PLACEHOLDER, _OPEN_PLACEHOLDER = "Send a message (/? for help)", "Press Enter to send"


class LineEditor:
    """Reads one entry at a time. Raises `EOFError` for Ctrl-D on an empty line, `KeyboardInterrupt` for Ctrl-C."""

    def __init__(self, history: History) -> None:
        self._session: PromptSession[str] = PromptSession(
            history=history,
            key_bindings=_keys(),
            multiline=True,
            prompt_continuation=lambda width, line, wraps: "" if wraps else CONTINUATION,
            enable_suspend=True,
        )

    async def read(self, *, continued: bool) -> str:
        """A line, or several when newlines were typed or pasted. `continued`: an entry is open."""
        return await self._session.prompt_async(
            CONTINUATION if continued else PROMPT,
            placeholder=FormattedText([("ansibrightblack", _OPEN_PLACEHOLDER if continued else _PLACEHOLDER)]),
        )


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("c-j")
    def newline(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("tab")
    def tab(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(TAB)

    @keys.add("c-g")
    async def editor(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        async with in_terminal():
            buffer.text = await asyncio.to_thread(edit, buffer.text)
        buffer.cursor_position = len(buffer.text)

    return keys
