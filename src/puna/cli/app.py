"""The commands as Typer sees them: names, arguments, flags and help, in the order of the help. No work is done here.

Argument counts are checked by `arguments`, not by Typer, for the texts' sake; that is why every argument is a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from puna.cli import administration, arguments, metering
from puna.cli.arguments import at_least, at_most, exactly
from puna.cli.failures import UsageError
from puna.cli.grammar import Group, command, words_of
from puna.errors import BadRequest, PunaError


class Commands(Group):
    """The whole program; its help ends with the environment."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from puna.cli.commands.environment import environment_rows

        with formatter.section("Environment Variables"):
            formatter.write_dl(environment_rows())


app = typer.Typer(
    cls=Commands,
    name="puna",
    help="Local language models, behind the same commands and the same API as Ollama.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
app.add_typer(administration.keys, name="key")
app.add_typer(administration.config, name="config")
app.add_typer(metering.meter, name="meter")

Insecure = Annotated[bool, typer.Option("--insecure", help="Talk to the registry without TLS.")]

_command = partial(command, app)
_words = words_of


def run_app(words: Sequence[str]) -> int:
    """Parse and run one command line; returns the exit status. Raises `PunaError`."""
    program = typer.main.get_command(app)
    if words[:1] == ["meter"]:
        words = ["meter", *metering.spread(words[1:])]
    try:
        status = program.main(list(arguments.normalised(words, SWITCHES)), prog_name="puna", standalone_mode=False)
    except typer.Abort:
        return 1
    except typer.TyperException as error:
        raise _in_our_words(error, words) from None
    return status if isinstance(status, int) else 0


def _in_our_words(error: typer.TyperException, words: Sequence[str]) -> PunaError:
    if words[:1] == ["meter"]:
        return UsageError(str(_wrong(error, words)))
    return _wrong(error, words)


def _wrong(error: typer.TyperException, words: Sequence[str]) -> PunaError:
    flag = getattr(error, "option_name", "")
    if hasattr(error, "possibilities"):
        return arguments.unknown_flag(flag, words)
    return arguments.missing_value(flag) if flag else BadRequest(error.format_message())


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-v", help="Show version information.")] = False,
) -> None:
    if version:
        from puna.cli.commands.version import version as show_version

        raise typer.Exit(show_version())
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@_command("serve")
@_command("start", hidden=True)
def serve(
    words: Annotated[list[str] | None, _words("")] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Listen on any address without a key.")] = False,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> int:
    """Start the runtime."""
    exactly(0, words)
    from puna.cli.commands.serve import serve as command

    return command(no_auth=no_auth, until_stdin_closes=until_stdin_closes)


@_command("up")
def up(
    words: Annotated[list[str] | None, _words("")] = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Listen on any address without a key.")] = False,
    show_answer: Annotated[bool, typer.Option("--show-answer", help="Let a model answer one question first.")] = False,
) -> int:
    """Serve everything, and say how to chat."""
    exactly(0, words)
    from puna.cli.commands.up import up as command

    return command(no_auth=no_auth, show_answer=show_answer)


@_command("arena")
def arena(
    words: Annotated[list[str] | None, _words("")] = None,
    host: Annotated[str, typer.Option("--host", help="Where to listen (default 127.0.0.1).")] = "",
    port: Annotated[str, typer.Option("--port", help="On which port; 0 takes a free one (default 7860).")] = "",
    token_file: Annotated[Path | None, typer.Option("--token-file", help="A file with the callers' token.")] = None,
    allow_open: Annotated[bool, typer.Option("--allow-open", help="Listen on any address without a token.")] = False,
    endpoint: Annotated[
        list[str] | None, typer.Option("--endpoint", help="A server: NAME=URL; may be repeated.")
    ] = None,
    no_embedded: Annotated[bool, typer.Option("--no-embedded", help="Start no runtime where none answers.")] = False,
    history_limit: Annotated[str, typer.Option(help="Messages of a chat that models get (40).")] = "",
    request_timeout: Annotated[str, typer.Option(help="Seconds that a model may be silent (300).")] = "",
    max_concurrent: Annotated[str, typer.Option(help="Answers at once (8).")] = "",
    max_instances: Annotated[str, typer.Option(help="Models and settings in one question (8).")] = "",
    max_body_mb: Annotated[str, typer.Option(help="MiB of one request (32).")] = "",
    cors_origin: Annotated[list[str] | None, typer.Option(help="Another web origin that may call.")] = None,
) -> int:
    """Serve the arena: the same question to many models."""
    exactly(0, words)
    from puna.cli.commands.arena import arena as command

    settings = {
        "host": host, "port": port, "history_limit": history_limit, "request_timeout": request_timeout,
        "max_concurrent": max_concurrent, "max_instances": max_instances, "max_body_mb": max_body_mb,
        "cors_origin": ",".join(cors_origin or ()),
    }  # fmt: skip
    return command(settings, endpoint or (), token_file=token_file, allow_open=allow_open, embedded=not no_embedded)


@_command("code")
def code(
    words: Annotated[list[str] | None, _words("")] = None,
    model: Annotated[str, typer.Option("--model", help="The model that completes (default: the newest).")] = "",
    check: Annotated[bool, typer.Option("--check", help="Check the settings and templates, and end.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say how the model fills gaps, and end.")] = False,
    no_embedded: Annotated[bool, typer.Option("--no-embedded", help="Start no runtime where none answers.")] = False,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Listen on any address without a key.")] = False,
) -> int:
    """Serve completions to editors."""
    exactly(0, words)
    from puna.cli.commands.code import code as command

    return command(model=model, check=check, explain=explain, embedded=not no_embedded, no_auth=no_auth)


@_command("create")
def create(
    words: Annotated[list[str] | None, _words("MODEL")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help='The Modelfile (default "Modelfile").')] = None,
    quantize: Annotated[str, typer.Option("--quantize", "-q", help="Quantize to this level, e.g. q4_K_M.")] = "",
    draft_quantize: Annotated[str, typer.Option("--draft-quantize", help="The same for the draft model.")] = "",
) -> int:
    """Create a model from a Modelfile."""
    (model,) = exactly(1, words)
    from puna.cli.commands.create import create as command

    return command(model, file, quantize, draft_quantize)


@_command("show")
def show(
    words: Annotated[list[str] | None, _words("MODEL")] = None,
    license_text: Annotated[bool, typer.Option("--license", help="Show the licence.")] = False,
    modelfile: Annotated[bool, typer.Option("--modelfile", help="Show the Modelfile.")] = False,
    parameters: Annotated[bool, typer.Option("--parameters", help="Show the parameters.")] = False,
    template: Annotated[bool, typer.Option("--template", help="Show the template.")] = False,
    system: Annotated[bool, typer.Option("--system", help="Show the system message.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show metadata and tensors, too.")] = False,
) -> int:
    """Show what a model is made of."""
    (model,) = exactly(1, words)
    from puna.cli.commands.show import SELECTORS
    from puna.cli.commands.show import show as command

    flags = zip(SELECTORS, (license_text, modelfile, parameters, system, template), strict=True)
    return command(model, [name for name, chosen in flags if chosen], verbose=verbose)


@_command("run")
def run(
    words: Annotated[list[str] | None, _words("MODEL [PROMPT]")] = None,
    keepalive: Annotated[str, typer.Option(help="How long the model stays loaded (e.g. 5m).")] = "",
    verbose: Annotated[bool, typer.Option("--verbose", help="Show timings of the answer.")] = False,
    insecure: Insecure = False,
    nowordwrap: Annotated[bool, typer.Option("--nowordwrap", help="Don't wrap words to the next line.")] = False,
    output_format: Annotated[str, typer.Option("--format", help="Form of the answer: json, or a JSON schema.")] = "",
    think: Annotated[str, typer.Option(help="Thinking: true, false, low, medium, high or max.")] = "",
    hidethinking: Annotated[bool, typer.Option("--hidethinking", help="Don't print the thinking.")] = False,
    truncate: Annotated[str, typer.Option(help="Embedding models: cut long input (true or false).")] = "",
    dimensions: Annotated[str, typer.Option(help="Embedding models: length of the vector.")] = "",
) -> int:
    """Run a model: chat with it, or answer one prompt."""
    model, *prompt = at_least(1, words)
    from puna.cli.commands.run import run as command
    from puna.cli.options import RunOptions

    options = RunOptions.parse(
        keepalive=keepalive,
        verbose=verbose,
        wordwrap=not nowordwrap,
        output_format=output_format,
        think=think,
        hide_thinking=hidethinking,
        truncate=truncate,
        dimensions=dimensions,
    )
    return command(model, prompt, options, insecure=insecure)


@_command("stop")
def stop(words: Annotated[list[str] | None, _words("MODEL")] = None) -> int:
    """Stop a running model."""
    (model,) = exactly(1, words)
    from puna.cli.commands.models import stop as command

    return command(model)


@_command("pull")
def pull(
    words: Annotated[list[str] | None, _words("MODEL")] = None,
    all_models: Annotated[bool, typer.Option("--all", help="Update every model that was pulled.")] = False,
    insecure: Insecure = False,
) -> int:
    """Pull a model from a registry."""
    from puna.cli.commands.pull import pull as command
    from puna.cli.commands.pull import pull_all

    if all_models:
        exactly(0, words)
        return pull_all(insecure=insecure)
    (model,) = exactly(1, words)
    return command(model, insecure=insecure)


@_command("push")
def push(words: Annotated[list[str] | None, _words("MODEL")] = None, insecure: Insecure = False) -> int:
    """Push a model to a registry."""
    (model,) = exactly(1, words)
    from puna.cli.commands.push import push as command

    return command(model, insecure=insecure)


@_command("list")
@_command("ls", hidden=True)
def list_models(
    words: Annotated[list[str] | None, _words("[PREFIX]")] = None,
    outdated: Annotated[bool, typer.Option("--outdated", help="Those with a newer version only.")] = False,
) -> int:
    """List the models that are here (also: ls)."""
    from puna.cli.commands.listing import list_models as command
    from puna.cli.commands.outdated import list_outdated

    return (list_outdated if outdated else command)(words[0] if words else "")


@_command("ps")
def ps(words: Annotated[list[str] | None, _words("[PREFIX]")] = None) -> int:
    """List the models that are loaded."""
    from puna.cli.commands.processes import list_running

    return list_running(words[0] if words else "")


@_command("cp")
def copy(words: Annotated[list[str] | None, _words("SOURCE DESTINATION")] = None) -> int:
    """Copy a model."""
    source, destination = exactly(2, words)
    from puna.cli.commands.models import copy as command

    return command(source, destination)


@_command("rm")
def remove(words: Annotated[list[str] | None, _words("MODEL...")] = None) -> int:
    """Remove models."""
    models = at_least(1, words)
    from puna.cli.commands.models import remove as command

    return command(models)


@_command("verify")
def verify(
    words: Annotated[list[str] | None, _words("[MODEL]")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Pull what is damaged again.")] = False,
    insecure: Insecure = False,
) -> int:
    """Check the stored files against their digests."""
    model = at_most(1, words)
    from puna.cli.commands.verify import verify as command

    return command(model[0] if model else None, repair=repair, insecure=insecure)


@_command("help")
def help_for(context: typer.Context, words: Annotated[list[str] | None, _words("[COMMAND]")] = None) -> int:
    """Help about any command."""
    return run_app([*(words or ())[:1], "--help"])


SWITCHES = (
    "--no-auth", "--show-answer", "--license", "--modelfile", "--parameters", "--template", "--system",
    "--verbose", "--insecure", "--nowordwrap", "--hidethinking", "--all", "--outdated", "--repair",
    "--check", "--explain", "--allow-open", "--no-embedded", *metering.SWITCHES,
)  # fmt: skip
