"""`puna meter fit`: will a model fit this machine, and how fast will it be, before it is pulled."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from puna.cli.arguments import exactly
from puna.cli.grammar import words_of
from puna.cli.metering import STDOUT, Json
from puna.errors import BadRequest

if TYPE_CHECKING:
    from puna.client import Endpoint
    from puna.meter.fit.answer import Answer
    from puna.meter.fit.description import Description
    from puna.meter.history import HistoryRow


def fit(
    words: Annotated[list[str] | None, words_of("MODEL|FILE.gguf")] = None,
    context: Annotated[int, typer.Option("--context", help="Tokens of context (default: the model's own).")] = 0,
    json: Json = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Talk to the registry without TLS.")] = False,
) -> int:
    """Tell whether a model fits here and how fast it will be, before it is pulled."""
    (model,) = exactly(1, words)
    if context < 0:
        raise BadRequest(f"--context {context}: give a number of tokens")
    import orjson
    from rich.console import Console

    from puna.meter.export import deliver

    answer = _answered(model, context, insecure=insecure)
    if json is None:
        console = Console()
        console.print(answer.table())
        for note in answer.notes():
            console.print(note, style="dim", markup=False, highlight=False)
    else:
        text = orjson.dumps(answer.json(), option=orjson.OPT_INDENT_2).decode()
        deliver(text, None if json == STDOUT else Path(json))
    return 0


def _answered(model: str, context: int, *, insecure: bool) -> Answer:
    from puna.cli.connection import server
    from puna.meter.config import Config
    from puna.meter.fit.description import from_file, is_path
    from puna.names import ModelName

    file = from_file(Path(model).expanduser()) if is_path(model) else None
    if file is None:
        ModelName.parse(model)  # before a runtime is started for nothing
    with server() as endpoint:
        rows = _history(Config.from_env().database) if endpoint.is_loopback else []
        return asyncio.run(_asked(endpoint, file or model, rows, context, insecure=insecure))


async def _asked(
    endpoint: Endpoint, model: str | Description, rows: list[HistoryRow], context: int, *, insecure: bool
) -> Answer:
    from puna import environment
    from puna.client import OllamaClient
    from puna.meter.fit.fitting import answered, described, free_memory, seen
    from puna.registry import Registries
    from puna.settings import Settings

    async with OllamaClient(endpoint) as client:
        if isinstance(model, str):
            registries = Registries.parse(Settings().registries)
            model = await described(client, model, registries, insecure=insecure)
        free = await free_memory(environment.child_environment())
        return await answered(model, await seen(client, rows), free, context)


def _history(database: str) -> list[HistoryRow]:
    """The newest row of each model. A database that several machines share does not say whose rows they are."""
    from puna.cli.terminal import note
    from puna.database import Database, database_url
    from puna.errors import DatabaseFailed
    from puna.meter.history import History

    with closing(Database(database_url(database))) as opened:
        if not opened.is_sqlite:
            return []
        try:
            return History(opened).newest()
        except DatabaseFailed as error:
            note(f"Warning: earlier measurements are not used: {error}")
            return []
