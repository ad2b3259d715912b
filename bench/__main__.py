"""`make bench`: measure everything, print a table, keep the samples, refresh the README."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from rich.console import Console

from bench import arena, columns, completions, fit, machine, memory, meter, page, sharing, startup, streams, transfers
from bench.dialects import ANTHROPIC, OPENAI
from bench.figures import Figure
from bench.models import CONTEXT, SMOLLM2, SUBJECTS, TINY, Home, new_home
from bench.report import Report, newest, with_table
from bench.streams import DEFAULT_SLOTS, MAX_SLOTS, Load
from bench.transfers import Turns

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench/results"
README = ROOT / "README.md"

LOADS = {
    TINY: (Load(1, 16), Load(4, 12), Load(16, 10)),
    SMOLLM2: (Load(1, 6), Load(4, 6), Load(16, 4)),
}
DIALECT_LOADS = {
    TINY: (Load(1, 10), Load(4, 8), Load(16, 6)),
    SMOLLM2: (Load(1, 4), Load(4, 3), Load(16, 2)),
}
FIRST_TOKEN_BLOCKS = {TINY: 100, SMOLLM2: 30}
TURNS = 30  # of every short command
STARTS = 3  # of a server with a thousand models
MEMORY_TIMES = 3
SHARED_TIMES = 5
METER_ROUNDS = 5
BLOB, SMALL_BLOB = 10**9, 3 * 10**8  # bytes; the small one still has three parts
COMPLETIONS = 30  # of each kind
FIT_TIMES = 5
VOTES, FEW_VOTES = 100_000, 10_000  # of the arena's leaderboard
ARENA_STARTS, ARENA_TURNS = 3, 7
COLUMNS_TIMES = 7
PAGE_TIMES = 5
TRANSFERS = Turns(direct=9, delayed=7, silent=5)

console = Console(width=max(Console().width, 140))  # the table needs it, in a file too


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one repetition of everything; keeps nothing")
    parser.add_argument("--only", choices=GROUPS, help="one group of figures; keeps nothing")
    parser.add_argument("--renew", choices=GROUPS, nargs="+", help="some groups; the others keep their last figures")
    options = parser.parse_args(arguments)
    groups = options.renew or ([options.only] if options.only else list(GROUPS))
    if "transfers" in groups:
        transfers.require(BLOB)
    others = machine.Quiet()
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    with new_home() as home:
        figures = uvloop.run(_measure(home, groups, quick=options.quick))
    conditions = {
        "load_average_at_start": others.load_average,
        "cpu_share_of_other_processes": others.disturbance(),
        "context_tokens_per_slot": CONTEXT,
        "slots": {"1 and 4 streams": DEFAULT_SLOTS, "16 streams": MAX_SLOTS},
        "tokens_per_answer": {subject.name: subject.length for subject in SUBJECTS},
        "tokens_per_answer_for_first_token": streams.FIRST_TOKEN_LENGTH,
        "client": "aiohttp on uvloop, one process, a connection per request; TCP to Puna, a Unix socket to the runner",
        "transfers": transfers.conditions(),
    }
    report = Report(when, machine.facts(), conditions, figures)
    if options.renew:
        report = report.beside(newest(RESULTS))
    console.print(report.table())
    missed = [figure for figure in figures if figure.met is False]
    if missed:
        console.print(f"{len(missed)} goals missed; bench/README.md says what the profile shows.")
    if not (options.quick or options.only):
        console.print(f"Samples: {report.save(RESULTS).relative_to(ROOT)}")
        shown = newest(RESULTS).markdown()  # as it was saved, rounded: a test makes the table from the file, too
        README.write_text(with_table(README.read_text(encoding="utf-8"), shown), encoding="utf-8")
    return 0


async def _measure(home: Home, groups: Sequence[str], *, quick: bool) -> list[Figure]:
    """The figures of these groups, those of one kind beside each other."""
    figures = [figure for group in groups for figure in await GROUPS[group](home, quick)]
    kinds = list(dict.fromkeys(figure.what for figure in figures))
    return sorted(figures, key=lambda figure: kinds.index(figure.what))


async def _streams(home: Home, quick: bool) -> list[Figure]:
    figures: list[Figure] = []
    for subject in SUBJECTS:
        console.print(f"Streams of {subject.name} ...")
        loads = [Load(load.streams, 1) for load in LOADS[subject]] if quick else LOADS[subject]
        blocks = 1 if quick else FIRST_TOKEN_BLOCKS[subject]
        figures += await streams.measure(home, subject, loads, first_blocks=blocks)
    return figures


async def _dialects(home: Home, quick: bool) -> list[Figure]:
    figures: list[Figure] = []
    for subject in SUBJECTS:
        console.print(f"Streams of {subject.name} in other dialects ...")
        loads = [Load(load.streams, 1) for load in DIALECT_LOADS[subject]] if quick else DIALECT_LOADS[subject]
        figures += await streams.measure_rates(home, subject, loads, (OPENAI, ANTHROPIC))
    return figures


async def _sharing(home: Home, quick: bool) -> list[Figure]:
    console.print("A shared system prompt ...")
    return await sharing.measure(home, TINY, times=1 if quick else SHARED_TIMES)


async def _meter(_: Home, quick: bool) -> list[Figure]:
    console.print("The meter against a known truth ...")
    return await meter.measure(rounds=1 if quick else METER_ROUNDS)


async def _memory(home: Home, quick: bool) -> list[Figure]:
    figures: list[Figure] = []
    for subject in SUBJECTS:
        console.print(f"Memory with {subject.name} ...")
        figures.append(await memory.measure(home, subject, times=1 if quick else MEMORY_TIMES))
    return figures


async def _startup(_: Home, quick: bool) -> list[Figure]:
    console.print("Short commands and lists of models ...")
    return startup.measure(turns=1 if quick else TURNS, starts=1 if quick else STARTS)


async def _code(home: Home, quick: bool) -> list[Figure]:
    console.print("Completions ...")
    return await completions.measure(home, turns=1 if quick else COMPLETIONS)


async def _fit(home: Home, quick: bool) -> list[Figure]:
    console.print("Predictions ...")
    return await fit.measure(home, fit.QUICK if quick else fit.SIZES, times=1 if quick else FIT_TIMES)


async def _arena(home: Home, quick: bool) -> list[Figure]:
    console.print("The arena's leaderboard ...")
    folder, many = home.folder / "arena", FEW_VOTES if quick else VOTES
    folder.mkdir()
    return arena.measure(folder, many=many, starts=1 if quick else ARENA_STARTS, turns=1 if quick else ARENA_TURNS)


async def _columns(home: Home, quick: bool) -> list[Figure]:
    console.print("Several settings of one model ...")
    return await columns.measure(home, SMOLLM2, times=1 if quick else COLUMNS_TIMES)


async def _page(_: Home, quick: bool) -> list[Figure]:
    console.print("The arena's page ...")
    return await page.measure(times=1 if quick else PAGE_TIMES)


async def _transfers(_: Home, quick: bool) -> list[Figure]:
    console.print("Pulls ...")
    return await transfers.measure(size=SMALL_BLOB if quick else BLOB, turns=Turns(1, 1, 1) if quick else TRANSFERS)


GROUPS: dict[str, Callable[[Home, bool], Awaitable[list[Figure]]]] = {
    "streams": _streams,
    "dialects": _dialects,
    "sharing": _sharing,
    "meter": _meter,
    "memory": _memory,
    "startup": _startup,
    "code": _code,
    "fit": _fit,
    "arena": _arena,
    "columns": _columns,
    "page": _page,
    "transfers": _transfers,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
