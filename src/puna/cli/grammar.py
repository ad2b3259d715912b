"""How Puna's commands look to Typer: unknown ones are refused in the reference's words, usage lines name the words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from puna.cli import arguments


class Group(TyperGroup):
    """A group that says `unknown command` in the reference's words."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None:
            visible = [name for name, command in self.commands.items() if not command.hidden]
            raise arguments.unknown_command(args[0], visible, ctx.command_path)
        return super().resolve_command(ctx, args)


class Command(TyperCommand):
    """A command whose usage line names its words as they are typed; Typer sees one list of them."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        words = [param.metavar for param in self.params if isinstance(param, TyperArgument) and param.metavar]
        return [*words, "[OPTIONS]"]


def words_of(metavar: str) -> Any:
    """The arguments of a command, named `metavar` in its usage line."""
    return typer.Argument(metavar=metavar, hidden=True)


def command(app: typer.Typer, name: str, *, hidden: bool = False) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a function the command `name` of `app`."""
    return app.command(name, cls=Command, hidden=hidden)
