"""`puna key` and `puna config` as Typer sees them; see `app`. They work on files of this machine, without a server."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from puna.cli.arguments import exactly
from puna.cli.grammar import Group, command, words_of


def _group(about: str) -> typer.Typer:
    group = typer.Typer(cls=Group, help=about, rich_markup_mode=None)

    @group.callback(invoke_without_command=True)
    def root(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return group


keys = _group("API keys: who may use the server, and for what.")
config = _group("The settings.")
_key = partial(command, keys)
_config = partial(command, config)


@_key("create")
def create(
    words: Annotated[list[str] | None, words_of("NAME")] = None,
    right: Annotated[
        list[str] | None,
        typer.Option("--right", metavar="RIGHT", help="infer, read, manage or push; give it once for each."),
    ] = None,
) -> int:
    """Make a key and print it, once."""
    (name,) = exactly(1, words)
    from puna.cli.commands.key import create as command

    return command(name, right or ())


@_key("list")
def list_keys(words: Annotated[list[str] | None, words_of("")] = None) -> int:
    """List the keys: what they are called and what they may do."""
    exactly(0, words)
    from puna.cli.commands.key import list_keys as command

    return command()


@_key("revoke")
def revoke(words: Annotated[list[str] | None, words_of("ID")] = None) -> int:
    """Revoke a key; running servers refuse it at once."""
    (key_id,) = exactly(1, words)
    from puna.cli.commands.key import revoke as command

    return command(key_id)


@_config("show")
def show(words: Annotated[list[str] | None, words_of("")] = None) -> int:
    """Show every setting, its value, and where it comes from."""
    exactly(0, words)
    from puna.cli.commands.config import show as command

    return command()
