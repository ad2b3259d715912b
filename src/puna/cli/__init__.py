"""The command line: parse, call, print. It talks to servers over HTTP like anyone else (contract ollama-store §6).

`main` is the program. Nothing heavy is imported here: `puna list`, `ps` and `--version` are over before Typer, Rich,
aiohttp or pydantic would be loaded, and every other command loads only what it needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from puna import environment
from puna.cli.failures import UsageError
from puna.errors import PunaError

INTERRUPTED = 130  # the shell's convention: 128 + SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Every failure is one `Error:` line on stderr, never a stack trace."""
    try:
        status = _dispatch(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except PunaError as error:
        return _fail(str(error), error.exit_status if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe went away: `puna list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if environment.flag("DEBUG"):
            raise
        return _fail(f"{error or type(error).__name__} (set PUNA_DEBUG=1 to see where this happened)")
    return status


def _dispatch(arguments: Sequence[str]) -> int:
    match arguments:
        case ["-v" | "--version"]:
            from puna.cli.commands.version import version

            return version()
        case ["list" | "ls"] | ["list" | "ls", _] if not arguments[-1].startswith("-"):
            from puna.cli.commands.listing import list_models

            return list_models("".join(arguments[1:]))
        case ["ps"] | ["ps", _] if not arguments[-1].startswith("-"):
            from puna.cli.commands.processes import list_running

            return list_running("".join(arguments[1:]))
        case _:
            from puna.cli.app import run_app

            return run_app(arguments)


def _fail(text: str, status: int = 1) -> int:
    from puna.cli.terminal import printable

    print(f"Error: {printable(text)}", file=sys.stderr)
    return status
