"""`puna meter` as Typer sees it; see `app`. A group whose plain call measures, with commands for what was measured.

The flags are one dataclass: its fields declare them to the parser, an object is what one command line said. No work is
done here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Annotated, Any, Literal, get_type_hints

import typer

from puna.cli.arguments import exactly
from puna.cli.failures import UsageError
from puna.cli.grammar import Group, command, words_of
from puna.errors import BadRequest

ELSEWHERE = ("compare", "fit")
"""Commands in modules of their own, `commands/meter_NAME.py`: each has a Typer function called like the command."""

OPTIONAL_VALUE = ("--json", "--csv", "--md")
"""Flags that take the next word as their value unless it is a flag; without one they mean standard output."""

STDOUT = ""
"""The value of such a flag that has none."""


def _flag(*names: str, about: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=about, metavar=metavar, show_default=False)


Models = Annotated[list[str] | None, _flag("--model", about="Only these models.", metavar="NAME...")]
Verbose = Annotated[bool, _flag("--verbose", about="Show every run, too.")]
Json = Annotated[str | None, _flag("--json", about="Write JSON, to a file or standard output.", metavar="[PATH]")]
Csv = Annotated[str | None, _flag("--csv", about="Write CSV, to a file or standard output.", metavar="[PATH]")]
Limit = Annotated[int, _flag("--limit", about="History: rows per model (default 20).")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """As typed: counts are not clamped, texts not parsed (contract meter §3, §24)."""

    version: Annotated[bool, _flag("--version", about="Show version information.")] = False
    local: Annotated[bool, _flag("--local", about="Models of the local server.")] = False
    cloud: Annotated[bool, _flag("--cloud", about="Models of the cloud.")] = False
    endpoint: Annotated[
        list[str] | None, _flag("--endpoint", about="Models of any other server; once for each.", metavar="NAME=URL")
    ] = None
    model: Models = None
    family: Annotated[bool, _flag("--family", about="A tag in --model does not matter.")] = False
    ttft: Annotated[bool, _flag("--ttft", about="Measure, and show the time to the first token.")] = False
    tps: Annotated[bool, _flag("--tps", about="Measure, and show tokens per second.")] = False
    verbose: Verbose = False
    runs: Annotated[int | None, _flag("--runs", about="Built-in prompts to use: 1, 2 or 3.")] = None
    prompts: Annotated[str | None, _flag("--prompts", about="A prompt, or a file with one a line.")] = None
    parallel: Annotated[int | None, _flag("--parallel", about="Models measured side by side: 1 to 10.")] = None
    sort: Annotated[
        Literal["name", "modified", "ttft", "tps", "size", "ctx"] | None, _flag("--sort", about="Order of the rows.")
    ] = None
    reverse: Annotated[bool, _flag("--reverse", about="The other way round.")] = False
    num_predict: Annotated[
        int | None, _flag("--num-predict", "--num_predict", about="Tokens of an answer, at most.")
    ] = None
    history: Annotated[bool, _flag("--history", about="Show earlier results (also: puna meter history).")] = False
    json: Json = None
    csv: Csv = None
    output_format: Annotated[
        Literal["v1", "v2"], _flag("--format", about="Of --json: v1, or v2 with every metric and setting.")
    ] = "v1"
    md: Annotated[str | None, _flag("--md", about="Write Markdown tables.", metavar="[PATH]")] = None
    html: Annotated[str | None, _flag("--html", about="Write a report that is one page.", metavar="FILE")] = None
    raw: Annotated[
        str | None, _flag("--raw", about="Write every request with its times, as JSON lines.", metavar="FILE")
    ] = None
    no_warm_up: Annotated[bool, _flag("--no-warm-up", about="Throw no first request away.")] = False
    cold: Annotated[bool, _flag("--cold", about="Unload each model first, and measure its load.")] = False
    cached: Annotated[bool, _flag("--cached", about="Send repeated prompts unchanged, so that caches help.")] = False
    repeat: Annotated[int | None, _flag("--repeat", about="Ask every prompt so many times.")] = None
    stat: Annotated[Literal["median", "mean"], _flag("--stat", about="What stands for the runs.")] = "median"
    num_ctx: Annotated[int | None, _flag("--num-ctx", about="Size of the context in tokens.")] = None
    seed: Annotated[int | None, _flag("--seed", about="Of the models, the prompts and the arrivals.")] = None
    temperature: Annotated[float | None, _flag("--temperature", about="Of the models.")] = None
    think: Annotated[str, _flag("--think", about="Thinking: true, false, low, medium, high or max.")] = ""
    depth: Annotated[str, _flag("--depth", about="Tokens of context before each prompt.", metavar="N,N…")] = ""
    concurrency: Annotated[str, _flag("--concurrency", about="Requests at the same time.", metavar="N,N…")] = ""
    batch: Annotated[str, _flag("--batch", about="Texts per embedding request.", metavar="N,N…")] = ""
    rate: Annotated[float | None, _flag("--rate", about="Requests per second, answered or not.")] = None
    arrival: Annotated[str, _flag("--arrival", about="With --rate: poisson, constant or gamma:K.")] = "poisson"
    duration: Annotated[
        float | None, _flag("--duration", about="Seconds of sending, instead of a count.", metavar="SECONDS")
    ] = None
    slo: Annotated[
        str, _flag("--slo", about="What is good enough: ttft:450,tpot:40 (ms), interactive, chat or relaxed.")
    ] = ""
    timeout: Annotated[
        float, _flag("--timeout", about="Seconds that one request may take (default 300).", metavar="SECONDS")
    ] = 300.0
    resume: Annotated[bool, _flag("--resume", about="Go on with the last run that was interrupted.")] = False
    strict: Annotated[bool, _flag("--strict", about="Exit with 4 when a measurement failed.")] = False
    limit: Limit = 20
    no_embedded: Annotated[bool, _flag("--no-embedded", about="Start no runtime where none answers.")] = False


SWITCHES = (
    "--version", "--local", "--cloud", "--family", "--ttft", "--tps", "--verbose", "--reverse", "--history",
    "--no-warm-up", "--cold", "--cached", "--resume", "--strict", "--no-embedded",
)  # fmt: skip


class MeterGroup(Group):
    """Loads the commands of `ELSEWHERE` when they are named."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *ELSEWHERE]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except BadRequest as error:
            raise UsageError(str(error)) from None

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in ELSEWHERE and cmd_name not in self.commands:
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            module = import_module(f"puna.cli.commands.meter_{cmd_name}")
            command(alone, cmd_name)(getattr(module, cmd_name))
            self.commands[cmd_name] = typer.main.get_command(alone)
        return super().get_command(ctx, cmd_name)


def spread(words: Sequence[str]) -> Iterator[str]:
    """A command line after `meter` as Typer reads it.

    `--model a b` becomes `--model a --model b`, and a flag of `OPTIONAL_VALUE` without one gets `STDOUT`.
    """
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--model":
            names = _values(left)
            yield from (part for name in names for part in (word, name)) if names else (word,)
        elif word in OPTIONAL_VALUE:
            yield word
            yield left.pop(0) if left and not _is_flag(left[0]) else STDOUT
        else:
            yield word
            if word == "--":
                yield from left
                return


def _values(left: list[str]) -> list[str]:
    """Takes the words up to the next flag away."""
    end = next((index for index, word in enumerate(left) if _is_flag(word)), len(left))
    taken, left[:end] = left[:end], []
    return taken


def _is_flag(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _declared(run: Callable[[typer.Context, Flags], int | None]) -> Callable[..., int | None]:
    """`run` with the fields of `Flags` as its parameters, which is how Typer wants them."""

    def call(context: typer.Context, **flags: Any) -> int | None:
        return run(context, Flags(**flags))

    hints = get_type_hints(Flags, include_extras=True)
    fields = [each.replace(annotation=hints[each.name]) for each in inspect.signature(Flags).parameters.values()]
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    call.__signature__ = inspect.Signature([context, *fields])  # type: ignore[attr-defined]
    call.__annotations__ = {"context": typer.Context, **hints}
    call.__doc__ = run.__doc__
    return call


meter = typer.Typer(
    cls=MeterGroup, help="Measure models: which one is fastest here.", rich_markup_mode=None, add_completion=False
)
_meter = partial(command, meter)


@meter.callback(invoke_without_command=True)
@_declared
def measure(context: typer.Context, flags: Flags) -> int | None:
    """Measure models: which one is fastest here."""
    if context.invoked_subcommand is not None:
        return None
    from puna.cli.commands.meter import measure as command

    return command(flags)


@_meter("history")
def history(
    words: Annotated[list[str] | None, words_of("")] = None,
    model: Models = None,
    family: Annotated[bool, _flag("--family", about="A tag in --model does not matter.")] = False,
    verbose: Verbose = False,
    json: Json = None,
    csv: Csv = None,
    limit: Limit = 20,
) -> int:
    """Show earlier results."""
    exactly(0, words)
    from puna.cli.commands.meter import history as command

    return command(Flags(model=model, family=family, verbose=verbose, json=json, csv=csv, limit=limit))
