"""`puna meter`: list and measure the models of any server, and show what was measured before (contract meter)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from uuid import uuid4

from rich.console import Console

from puna import __version__
from puna.cli.connection import stand_in
from puna.cli.failures import UsageError
from puna.cli.metering import Flags
from puna.cli.meteroptions import outputs, parse_options
from puna.cli.terminal import note
from puna.client import quick
from puna.client.endpoint import Endpoint
from puna.client.errors import ClientError, ServerUnreachable
from puna.database import Database, database_url
from puna.meter.cell import ModelResult, RunResult
from puna.meter.config import Config, parse_endpoint
from puna.meter.export import deliver
from puna.meter.history import History
from puna.meter.historylist import NONE_FOUND, found_rows, history_csv, history_json, history_table
from puna.meter.host import host, identify
from puna.meter.keeping import Describe, Keeper
from puna.meter.mode import Mode, ask, resolve_mode
from puna.meter.options import Options
from puna.meter.outputs import write
from puna.meter.plan import Target
from puna.meter.session import Session, why

_ENDLESS = 100_000  # columns

INTERRUPTED = 130


def measure(flags: Flags) -> int:
    """The exit status (§13, C10). Raises `PunaError`."""
    if flags.version:
        print(f"puna meter {__version__}")
        return 0
    if flags.history:
        return history(flags)
    try:
        return _measured(flags)
    except KeyboardInterrupt:
        note("Interrupted.")
        return INTERRUPTED


def history(flags: Flags) -> int:
    """What was measured before. Raises `PunaError`."""
    wanted = [output for output in outputs(flags) if output.kind in ("json", "csv")]
    with closing(Database(database_url(Config.from_env().database))) as database:
        rows = found_rows(
            History(database), flags.model or (), family=flags.family, verbose=flags.verbose, limit=flags.limit
        )
    for output in wanted:
        text = history_json if output.kind == "json" else history_csv
        deliver(text(rows, verbose=flags.verbose), output.path)
    if not wanted and rows:
        _console().print(history_table(rows, verbose=flags.verbose))
    elif not wanted:
        note(NONE_FOUND)
    return 0


def _measured(flags: Flags) -> int:
    config = Config.from_env(flags.runs, flags.parallel)
    options = parse_options(flags, config)
    named = _named(flags)
    mode = None if named and not (flags.local or flags.cloud) else _mode(flags)
    if mode is None and not named:
        note("Canceled.")
        return 0
    for warning in config.warnings:
        note(f"⚠ {warning}")
    with ExitStack() as stack:
        local = config.local
        if mode in ("local", "both") and not (flags.cloud or flags.no_embedded):
            local = _answering(local, stack)
        database = stack.enter_context(closing(Database(database_url(config.database))))
        targets = [*_targets(mode, local, config), *asyncio.run(_identified(named, config))]
        return _run(options, targets, History(database), embedded=local is not config.local)


def _run(options: Options, targets: Sequence[Target], history: History, *, embedded: bool) -> int:
    """Measure, and write what there is, also after Ctrl-C (C9)."""
    started_at = datetime.now(UTC).isoformat()
    keeper = _keeper(options, history, embedded=embedded) if options.measuring else None
    session = Session(options, targets, _console(), keeper)
    interrupted = False
    try:
        asyncio.run(session.run())
    except KeyboardInterrupt:
        interrupted = True
        note("Interrupted.")
    if options.outputs:
        endpoints, results = tuple(session.endpoints), tuple(session.results)
        run_id = keeper.run_id if keeper else str(uuid4())
        run = RunResult(run_id, started_at, options.arguments, __version__, host(), endpoints, results)
        for output in options.outputs:
            write(output, options, session.rows, run, keeper.earlier if keeper else ())
    return INTERRUPTED if interrupted else session.status


def _keeper(options: Options, history: History, *, embedded: bool) -> Keeper:
    keeper = Keeper(history, str(uuid4()), options.plan, embedded=embedded, describe=_describer(options))
    if options.resume and not keeper.resume():
        note("There is no run to go on with: everything is measured.")
    return keeper


def _mode(flags: Flags) -> Mode | None:
    return resolve_mode(flags, sys.stdin.isatty(), ask)


def _named(flags: Flags) -> dict[str, str]:
    """URL by name of `--endpoint`. Raises `BadRequest`."""
    pairs = [parse_endpoint(text) for text in flags.endpoint or ()]
    if len(dict(pairs)) < len(pairs):
        raise UsageError("two endpoints have the same name: results could not be told apart")
    return dict(pairs)


def _answering(endpoint: Endpoint, stack: ExitStack) -> Endpoint:
    """The local server, or a runtime of this command's own where none answers on this machine."""
    try:
        quick.heartbeat(endpoint)
    except ServerUnreachable:
        if endpoint.is_loopback:
            return stack.enter_context(stand_in(endpoint))
    except ClientError:
        pass  # it answers; what it has against us comes with the list of models
    return endpoint


def _targets(mode: Mode | None, local: Endpoint, config: Config) -> list[Target]:
    found = [Target("local", local)] if mode in ("local", "both") else []
    if mode in ("cloud", "both"):
        found.append(Target("cloud", config.cloud, embeds=config.cloud.url == config.local.url))
    return found


async def _identified(named: dict[str, str], config: Config) -> list[Target]:
    """The endpoints that answer; of the others a line says why not."""
    found = []
    for name, url in named.items():
        endpoint = config.endpoint(name, url)
        try:
            found.append(await identify(name, endpoint))
        except ClientError as error:
            note(f"⚠ Skipping {name} ({why(error, name, endpoint)}).")
    return found


def _describer(options: Options) -> Describe:
    """Loads what it takes now: half a second of imports must not fall between two stamps."""
    from puna.meter.report.envelope import as_text, model

    def describe(result: ModelResult, url: str) -> str:
        return as_text(model(result, url, options.slo))

    return describe


def _console() -> Console:
    """Into a pipe or a file a table is as wide as it needs to be."""
    width = None if sys.stderr.isatty() else _ENDLESS
    return Console(stderr=True, width=width, highlight=False, markup=False, emoji=False)
