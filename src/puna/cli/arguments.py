"""The reference's manners on the command line, on top of Typer's parser (contract ollama-store §6.1).

Flags take `--flag=false`, `--think` takes an optional value, and a wrong argument is one line in the reference's words
instead of a page of usage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from puna.errors import BadRequest

# Flags whose value may be left out: alone they mean `=true`, and the next word is never their value.
OPTIONAL_VALUE = ("--think", "--truncate")

_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
_FALSE = {"0", "f", "F", "false", "FALSE", "False"}


def normalised(words: Iterable[str], switches: Iterable[str]) -> Iterator[str]:
    """`words` as Typer reads them: `--think` becomes `--think=true`, `--switch=true` a switch or, if false, nothing."""
    switches = set(switches)
    plain = False  # after `--` every word is an argument
    for word in words:
        plain = plain or word == "--"
        name, equals, value = word.partition("=")
        if plain:
            yield word
        elif word in OPTIONAL_VALUE:
            yield f"{word}=true"
        elif name in switches and equals:
            if parse_bool(value, name):
                yield name
        else:
            yield word


def parse_bool(text: str, flag: str) -> bool:
    """A flag's value as Go reads it. Raises `BadRequest`."""
    if text not in _TRUE and text not in _FALSE:
        raise BadRequest(f'invalid argument "{text}" for "{flag}" flag: must be true or false')
    return text in _TRUE


def exactly(count: int, words: Sequence[str] | None) -> tuple[str, ...]:
    """The arguments, `count` of them. Raises `BadRequest`."""
    words = words or ()
    if len(words) != count:
        raise BadRequest(f"accepts {count} arg(s), received {len(words)}")
    return tuple(words)


def at_least(count: int, words: Sequence[str] | None) -> tuple[str, ...]:
    """The arguments, `count` or more. Raises `BadRequest`."""
    words = words or ()
    if len(words) < count:
        raise BadRequest(f"requires at least {count} arg(s), only received {len(words)}")
    return tuple(words)


def at_most(count: int, words: Sequence[str] | None) -> tuple[str, ...]:
    """The arguments, `count` or fewer. Raises `BadRequest`."""
    words = words or ()
    if len(words) > count:
        raise BadRequest(f"accepts at most {count} arg(s), received {len(words)}")
    return tuple(words)


def unknown_command(word: str, commands: Iterable[str], program: str = "puna") -> BadRequest:
    """The error for a command that `program` does not have, with the commands that may be meant."""
    similar = get_close_matches(word, list(commands))
    hint = "".join(("\n\nDid you mean this?", *(f"\n\t{name}" for name in similar))) if similar else ""
    return BadRequest(f'unknown command "{word}" for "{program}"{hint}')


def unknown_flag(flag: str, words: Iterable[str]) -> BadRequest:
    """The error for a flag that no command has; a short one is quoted with the word that it stands in."""
    if flag.startswith("--"):
        return BadRequest(f"unknown flag: {flag}")
    word = next((w for w in words if w.startswith("-") and not w.startswith("--") and flag[1:] in w), flag)
    return BadRequest(f"unknown shorthand flag: '{flag[1:]}' in {word}")


def missing_value(flag: str) -> BadRequest:
    """The error for a flag at the end of the line that needs a value."""
    name = flag if flag.startswith("--") else f"'{flag[1:]}' in {flag}"
    return BadRequest(f"flag needs an argument: {name}")
