"""`/set …`: the session's own switches. Pure: a session and words in, a session and what to print out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from puna.cli.chat.help import PARAMETERS, SET
from puna.cli.chat.session import Session
from puna.errors import BadRequest
from puna.modelfile.parameters import parse_parameters

MODES = ("wordwrap", "nowordwrap", "verbose", "quiet", "nothink")
_FORMAT_HELP = "Invalid or missing format. For 'json' mode use '/set format json'\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The session after a command, and the text for stdout and stderr."""

    session: Session
    out: str = ""
    err: str = ""


def set_command(session: Session, words: list[str]) -> Outcome:
    """Run `/set` with the words behind it."""
    if not words:
        return Outcome(session, err=SET)
    name, rest = words[0], words[1:]
    if name in MODES:
        return Outcome(_with_mode(session, name), f"Set '{name}' mode.\n", _think_warning(session, name))
    if name in _SPECIAL:
        return _SPECIAL[name](session, rest)
    return Outcome(session, f"Unknown command '/set {name}'. Type /? for help\n")


def set_system(session: Session, text: str) -> Outcome:
    return Outcome(session.with_system(text), "Set system message.\n")


def _with_mode(session: Session, mode: str) -> Session:
    match mode:
        case "wordwrap" | "nowordwrap":
            return session.with_options(wordwrap=mode == "wordwrap")
        case "verbose" | "quiet":
            return session.with_options(verbose=mode == "verbose")
        case _:
            return session.with_options(think=False)


def _think_warning(session: Session, mode: str) -> str:
    if session.thinks or mode not in ("think", "nothink"):
        return ""
    return f'warning: model "{session.model}" does not support thinking output\n'


def _set_think(session: Session, words: list[str]) -> Outcome:
    level = words[0] if words else ""
    text = f"Set 'think' mode to '{level}'.\n" if level else "Set 'think' mode.\n"
    return Outcome(session.with_options(think=level or True), text, _think_warning(session, "think"))


def _set_format(session: Session, words: list[str]) -> Outcome:
    if words != ["json"]:
        return Outcome(session, _FORMAT_HELP)
    return Outcome(session.with_options(output_format="json"), "Set format to 'json' mode.\n")


def _set_parameter(session: Session, words: list[str]) -> Outcome:
    if len(words) < 2:
        return Outcome(session, err=PARAMETERS)
    name, *values = words
    try:
        found = parse_parameters((name, value) for value in values)
    except BadRequest as error:
        return Outcome(session, f'Couldn\'t set parameter: "{error}"\n')
    warnings = "".join(f"{warning}\n" for warning in found.warnings)
    text = f"Set parameter '{name}' to '{', '.join(values)}'\n" if found.values else ""
    return Outcome(session.with_parameters(found.values), text, warnings)


_SPECIAL: dict[str, Callable[[Session, list[str]], Outcome]] = {
    "history": lambda session, _: Outcome(replace(session, history=True)),
    "nohistory": lambda session, _: Outcome(replace(session, history=False)),
    "noformat": lambda session, _: Outcome(session.with_options(output_format=None), "Disabled format.\n"),
    "format": _set_format,
    "think": _set_think,
    "parameter": _set_parameter,
    "system": lambda session, _: Outcome(session, err=SET),  # without a text; with one it is a `SystemMessage`
}
