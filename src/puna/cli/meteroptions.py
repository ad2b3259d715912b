"""The flags of `puna meter` as checked values (contract meter §3, §24). Only a file of prompts is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from puna.cli.failures import UsageError
from puna.cli.metering import STDOUT, Flags
from puna.cli.options import parse_think
from puna.meter.config import PARALLEL, RUNS
from puna.meter.options import Kind, Options, Output
from puna.meter.plan import PROMPTS, Arrival, CellPlan, Plan, Settings
from puna.meter.slo import parse_slo
from puna.meter.sorting import SortSpec

if TYPE_CHECKING:
    from puna.meter.config import Config

_ALSO_MEASURED = (
    "cold", "cached", "repeat", "depth", "concurrency", "batch", "rate", "duration", "slo", "num_ctx", "think",
)  # fmt: skip
"""Flags that ask for more than two numbers: they bring the second table."""

_ARRIVALS: Mapping[str, Arrival] = {"poisson": "poisson", "constant": "constant", "gamma": "gamma"}


def parse_options(flags: Flags, config: Config) -> Options:
    """Raises `UsageError`, and `BadRequest` for values that are wrong in themselves."""
    wanted = outputs(flags)
    details = any(getattr(flags, name) for name in _ALSO_MEASURED)
    reports = any(output.kind in ("v2", "md", "html", "raw") for output in wanted)
    both = (details or reports) and not (flags.ttft or flags.tps)
    if flags.reverse and flags.sort is None:
        raise UsageError("--reverse requires --sort")
    return Options(
        models=tuple(flags.model or ()),
        family=flags.family,
        show_ttft=flags.ttft or both,
        show_tps=flags.tps or both,
        verbose=flags.verbose,
        details=details,
        export_only=any(output.replaces_tables for output in wanted),
        outputs=wanted,
        sort=SortSpec.parse(flags.sort, flags.reverse) if flags.sort else None,
        stat=flags.stat,
        slo=parse_slo(flags.slo) if flags.slo else None,
        strict=flags.strict,
        resume=flags.resume,
        plan=parse_plan(flags, config),
        arguments=typed(flags),
    )


def parse_plan(flags: Flags, config: Config) -> Plan:
    """Raises `UsageError`, `BadRequest`."""
    if flags.runs is not None and not RUNS[0] <= flags.runs <= RUNS[1]:
        raise UsageError(f"--runs must be {RUNS[0]}, 2 or {RUNS[1]}, not {flags.runs}")
    _positive("--repeat", flags.repeat)
    _positive("--timeout", flags.timeout)
    cells = _cells(flags, config)
    plain = len(cells) == 1 and cells[0] == CellPlan(prompts=cells[0].prompts, seed=cells[0].seed)
    return Plan(
        cells=cells,
        settings=Settings(
            num_predict=flags.num_predict,
            num_ctx=flags.num_ctx,
            seed=flags.seed,
            temperature=flags.temperature,
            think=parse_think(flags.think) if flags.think else None,
            timeout_s=flags.timeout,
        ),
        parallel=config.num_parallel if flags.parallel is None else max(PARALLEL[0], min(PARALLEL[1], flags.parallel)),
        warm_up=not flags.no_warm_up,
        cold=flags.cold,
        unique_prompts=not (plain or flags.cached),  # what is asked again must not be answered by a cache
    )


def parse_prompts(text: str) -> tuple[str, ...]:
    """The lines of a file, or the text itself as the only prompt. Raises `UsageError` without any prompt (C11)."""
    path = Path(text)
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else [text]
    except (OSError, ValueError):  # too long for a name, or not readable: then it is the prompt
        lines = [text]
    prompts = tuple(line.strip().encode(errors="replace").decode() for line in lines if line.strip())
    if not prompts:
        raise UsageError("--prompts has no prompt in it: give a text, or a file with one prompt a line")
    return prompts


def outputs(flags: Flags) -> tuple[Output, ...]:
    """Raises `UsageError`; `BadRequest` for a file that cannot be written, before hours are spent on measuring."""
    if flags.json is not None and flags.csv is not None:
        raise UsageError("--json and --csv cannot be used together")
    json = flags.json
    if flags.output_format == "v2":
        if flags.csv is not None:
            raise UsageError("--format v2 is JSON: it cannot be used with --csv")
        json = json or STDOUT
    chosen: tuple[tuple[Kind, str | None], ...] = (
        ("v2" if flags.output_format == "v2" else "json", json),
        ("csv", flags.csv),
        ("md", flags.md),
        ("html", flags.html),
        ("raw", flags.raw),
    )
    found = tuple(Output(kind, Path(path) if path else None) for kind, path in chosen if path is not None)
    for output in found:
        output.check()
    return found


def typed(flags: Flags) -> tuple[str, ...]:
    """The command line again, in one spelling. No flag carries a secret: keys are in the environment."""
    words: list[str] = []
    for each in fields(flags):
        value, name = getattr(flags, each.name), f"--{each.name.replace('_', '-')}".replace("--output-", "--")
        if value == each.default:
            continue
        if value is True or value == STDOUT:
            words.append(name)
        else:
            words += [part for one in (value if isinstance(value, list) else [value]) for part in (name, str(one))]
    return tuple(words)


def _cells(flags: Flags, config: Config) -> tuple[CellPlan, ...]:
    prompts = PROMPTS[: flags.runs or config.num_runs] if flags.prompts is None else parse_prompts(flags.prompts)
    arrival, gamma = _arrival(flags)
    return tuple(
        CellPlan(
            prompts=prompts,
            repeats=flags.repeat or 1,
            depth=depth,
            concurrency=users,
            batch=batch,
            arrival=arrival,
            rate=flags.rate,
            shape=gamma,
            duration_s=flags.duration,
            seed=flags.seed or 0,
        )
        for depth, users, batch in product(
            _counts("--depth", flags.depth, 0), _counts("--concurrency", flags.concurrency, 1),
            _counts("--batch", flags.batch, 1),
        )
    )  # fmt: skip


def _arrival(flags: Flags) -> tuple[Arrival, float | None]:
    _positive("--rate", flags.rate)
    _positive("--duration", flags.duration)
    if flags.rate is None:
        return "closed", None
    if flags.concurrency:
        raise UsageError("--rate sends by the clock, whatever is answered: it cannot be used with --concurrency")
    name, colon, shape = flags.arrival.partition(":")
    if name not in _ARRIVALS or bool(colon) != (name == "gamma"):
        raise UsageError(f"--arrival {flags.arrival}: give poisson, constant or gamma:K")
    return _ARRIVALS[name], _gamma(shape) if colon else None


def _gamma(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"'{text}' is no number for --arrival gamma:K") from None
    _positive("K of --arrival gamma:K", value)
    return value


def _counts(flag: str, text: str, least: int) -> list[int]:
    """Whole numbers between commas; without a text the least there is."""
    try:
        found = [int(part) for part in text.split(",")] if text else [least]
    except ValueError:
        raise UsageError(f"{flag} must be whole numbers with commas between them, not '{text}'") from None
    if min(found) < least:
        raise UsageError(f"{flag} must be {least} or more, not {min(found)}")
    return list(dict.fromkeys(found))


def _positive(flag: str, value: float | None) -> None:
    if value is not None and not 0 < value < float("inf"):
        raise UsageError(f"{flag} must be more than 0, not {value:g}")
