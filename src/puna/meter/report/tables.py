"""The report's tables: texts and styles, ready to be written. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from puna.meter.report.schema import Cell, Model
from puna.meter.report.shown import NONE, amount, digits, measured, name, percent, seconds, setting
from puna.meter.report.standing import figure, first_cell, is_clear, standing, telling
from puna.units import format_bytes

FLAGS = {
    "cached": "a prompt cache helped, so the prefill is not this machine's speed",
    "cold": "loading the model is part of a request",
    "short": "answers ended before the length that was asked for",
    "contended": "other models were measured at the same time",
    "unstable": "the spread is 20 % or more",
    "disputed": "the server's own rate is far from what arrived here",
    "void": "the meter itself lagged, so the figures must not be used",
    "client": "timed by this client, not by the server",
    "estimated": "tokens were counted by chunks, as the server does not count them",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell of a table: `small` follows the text in a lower voice."""

    text: str
    small: str = ""
    style: str = ""  # best | warn


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    small: str = ""
    right: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """`note` is a line of its own below. A row that `continues` belongs to the model above it."""

    entries: tuple[Entry, ...]
    note: str = ""
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


_MODEL = Column("Model", right=False)
_OK = Column("OK", "of tried")


def results(models: Sequence[Model], *, answer: str | None) -> Table:
    """One row per model, the fastest first; `answer` is the shape whose felt time is shown."""
    keys = telling(models)
    title = next(_answer_titles(models, answer), None)
    several = len({model.endpoint for model in models}) > 1
    columns = (
        _MODEL,
        Column("Size"),
        Column("Memory", "on the GPU"),
        *(Column(*_TITLES[key]) for key in keys),
        *([Column("Useful answer", title)] if title else []),
        _OK,
    )
    rows = []
    for model in models:
        cell = first_cell(model)
        entries = (
            Entry(name(model.name), _about(model, several=several)),
            Entry(format_bytes(model.size_bytes) if model.size_bytes else NONE),
            _memory(model),
            *(_entry(model, key, models) for key in keys),
            *([_answer(cell, answer)] if title else []),
            _done(cell or next(iter(model.cells), None)),
        )
        rows.append(Row(entries, _notes(model, cell)))
    return Table("Every model, the fastest first", columns, tuple(rows))


def settings(models: Sequence[Model]) -> Table:
    """One row per setting of each model: what the curves are drawn from."""
    columns = (
        _MODEL,
        Column("Setting", right=False),
        *(Column(*_TITLES[key]) for key in ("decode", "prefill", "ttft")),
        Column("All users", "tok/s"),
        Column("p90 TTFT"),
        _OK,
    )
    rows = tuple(_row(model, cell, index) for model in models for index, cell in enumerate(model.cells))
    return Table("Every setting", columns, rows)


def smoothness(models: Sequence[Model]) -> Table:
    columns = (_MODEL, Column("Middle gap"), Column("p99"), Column("Longest"), Column("Stalls", "over 1 s"))
    rows = []
    for model in models:
        gap, cell = figure(model, "gap"), first_cell(model)
        if gap is None or cell is None:
            continue
        stalls = int(cell.totals["stalls"].value) if "stalls" in cell.totals else 0
        p99 = gap.percentiles.get("p99")
        entries = (
            Entry(name(model.name)),
            Entry(seconds(gap.median)),
            Entry(NONE if p99 is None else seconds(p99)),
            Entry(seconds(gap.maximum)),
            Entry(str(stalls), style="warn" if stalls else ""),
        )
        rows.append(Row(entries))
    return Table("Gaps between chunks of text", columns, tuple(rows))


_TITLES = {
    "decode": ("Decode", "tok/s"),
    "prefill": ("Prefill", "tok/s"),
    "ttft": ("First token", "TTFT"),
    "embedding_rate": ("Embedding", "tok/s"),
    "embedding_inputs": ("Texts", "per second"),
}


def _row(model: Model, cell: Cell, index: int) -> Row:
    rate, first = cell.totals.get("output_throughput"), cell.metrics.get("ttft")
    p90 = first.percentiles.get("p90") if first else None
    entries = (
        Entry(name(model.name)),
        Entry(setting(cell).strip() or "plain"),
        *(Entry(*measured(cell.metrics.get(key))) for key in ("decode", "prefill", "ttft")),
        Entry(NONE if rate is None or not cell.ok else digits(rate.value)),
        Entry(NONE if p90 is None else seconds(p90)),
        _done(cell),
    )
    return Row(entries, _said(cell), continues=index > 0)


def _entry(model: Model, key: str, models: Sequence[Model]) -> Entry:
    found = figure(model, key)
    places = standing(models, key)
    leads = bool(places) and found is not None and not is_clear(places[0].figure, found, key)
    same_clock = found is not None and bool(places) and found.basis == places[0].figure.basis
    return Entry(*measured(found), "best" if leads and same_clock and len(places) > 1 else "")


def _about(model: Model, *, several: bool) -> str:
    size = "" if model.params in ("", "0B") else f"{'~' if model.params_guessed else ''}{name(model.params, 12)}"
    parts = (size, name(model.quant, 20) if model.quant else "", name(model.endpoint, 40) if several else "")
    return " · ".join(part for part in parts if part)


def _memory(model: Model) -> Entry:
    if model.memory is None:
        return Entry(NONE)
    share = model.memory.gpu_share
    spills = share is not None and 0 < share < 1
    return Entry(format_bytes(model.memory.size), "" if share is None else percent(share), "warn" if spills else "")


def _answer_titles(models: Sequence[Model], shape: str | None) -> Iterator[str]:
    if shape is not None:
        cells = (cell for model in models if (cell := first_cell(model)) is not None)
        yield from (name(cell.answers[shape].title) for cell in cells if shape in cell.answers)


def _answer(cell: Cell | None, shape: str | None) -> Entry:
    found = cell.answers.get(shape) if cell is not None and shape is not None else None
    return Entry(NONE) if found is None else Entry(seconds(found.seconds), "est." if found.estimated else "")


def _done(cell: Cell | None) -> Entry:
    if cell is None:
        return Entry(NONE)
    retried = f"{cell.retries} retried" if cell.retries else ""
    return Entry(f"{cell.ok}/{cell.attempts}", retried, "warn" if cell.ok < cell.attempts else "")


def _notes(model: Model, cell: Cell | None) -> str:
    if cell is None:
        voids = (each.void for each in model.cells if each.void)
        return name(model.error or next(voids, None) or "not measured", 140)
    return _said(cell)


def _said(cell: Cell) -> str:
    decode = cell.metrics.get("decode")
    basis = [decode.basis] if decode is not None and decode.basis != "server" else []
    flags = [name(flag, 20) for flag in cell.flags[:10]]
    causes = [name(cause, 100) for cause in list(cell.failures)[:2]]
    void = [f"void: {name(cell.void, 100)}"] if cell.void else []
    stopped = [name(cell.stopped, 140)] if cell.stopped else []
    return ", ".join((*void, *basis, *flags, *stopped, *causes))


def glance(models: Sequence[Model], answer: str) -> list[tuple[str, str, str, str]]:
    """What, number, model, how sure: the best of each metric."""
    wanted = (("Writes at", "decode"), ("First token after", "ttft"), ("Reads prompts at", "prefill"))
    found = []
    for what, key in wanted:
        places = standing(models, key)
        if not places:
            continue
        best = places[0]
        level = sum(not is_clear(best.figure, place.figure, key) for place in places[1:])
        sure = (
            "" if len(places) == 1 else "clearly ahead" if not level else f"level with {level} other{'s' * (level > 1)}"
        )
        found.append((what, amount(best.figure.median, best.figure.unit), name(best.model.name, 40), sure))
    times = [
        (cell.answers[answer], model)
        for model in models
        if (cell := first_cell(model)) is not None and answer in cell.answers
    ]
    if times:
        time, model = min(times, key=lambda pair: pair[0].seconds)
        sure = f"{name(time.title)}{', estimated' * time.estimated}"
        found.append(("Useful answer after", seconds(time.seconds), name(model.name, 40), sure))
    return found
