"""Whose models are listed: the local server's, the cloud's or both (contract meter §4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

Mode = Literal["local", "cloud", "both"]

QUESTION = "Which Ollama models would you like to list?"
CHOICES: tuple[tuple[Mode | None, str], ...] = (
    ("both", "Both"),
    ("local", "Local only"),
    ("cloud", "Cloud only"),
    (None, "Cancel"),
)
POINTER = "→"


class Chosen(Protocol):
    """The flags that decide."""

    @property
    def local(self) -> bool: ...
    @property
    def cloud(self) -> bool: ...
    @property
    def model(self) -> Sequence[str] | None: ...


def resolve_mode(chosen: Chosen, is_tty: bool, ask: Callable[[], Mode | None]) -> Mode | None:
    """None when the person cancels. `ask` is called only where no flag decides and somebody is there to answer."""
    if chosen.local != chosen.cloud:
        return "local" if chosen.local else "cloud"
    if chosen.local or chosen.model or not is_tty:
        return "both"
    return ask()


def ask() -> Mode | None:
    """The menu, on the terminal. Raises `KeyboardInterrupt` on Ctrl-C."""
    import sys

    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.output import create_output
    from prompt_toolkit.shortcuts.choice_input import ChoiceInput

    with create_app_session(output=create_output(stdout=sys.stderr)):  # standard output is for exports only
        return ChoiceInput(
            message=QUESTION, options=CHOICES, default="both", symbol=POINTER, show_numbers=False
        ).prompt()
