"""Markdown that pastes well into an issue or a forum, in the style of `llama-bench`: `pp512`, `tg128 @ d4096`.

`pp` is the prompt's evaluation, `tg` text generation; the number is of tokens (contract meter §24, row 11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from puna.meter.report.schema import Cell, Endpoint, Envelope, Figure, Host, Model
from puna.meter.report.shown import NONE, digits, name, seconds, setting
from puna.meter.report.standing import headline
from puna.units import format_bytes

_HEADER = ("model", "size", "params", "quant", "endpoint", "test", "t/s", "TTFT", "ok", "notes")
_RIGHT = {"size", "params", "t/s", "TTFT", "ok"}


def markdown(found: Envelope) -> str:
    """A sentence, the table, the conditions; ends with a newline."""
    said = headline(found.models)
    rows = [row for model in found.models for row in _rows(model)]
    note = "t/s and TTFT are medians ± the standard deviation; notes name what a reader must know."
    return "\n".join((_escaped(f"{said} {said.sureness}"), "", *_table(rows), "", note, "", *_conditions(found), ""))


def code(text: str, most: int = 80) -> str:
    """A stranger's text as a code span: no markup, link or mention in it works."""
    text = name(text, most)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if "`" in (text[:1], text[-1:]) else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>()#!|~&@:])", r"\\\1", text)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The columns are padded, so that it reads well as text, too. A bar would end a cell, even in a code span."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(3, *(len(row[index]) for row in (_HEADER, *rows))) for index in range(len(_HEADER))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if title in _RIGHT else cell.ljust(width)
            for cell, width, title in zip(cells, widths, _HEADER, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = (
        "-" * (width - 1) + ":" if title in _RIGHT else "-" * width
        for width, title in zip(widths, _HEADER, strict=True)
    )
    return [line(_HEADER), f"| {' | '.join(rule)} |", *map(line, rows)]


def _rows(model: Model) -> Iterator[tuple[str, ...]]:
    about = (
        code(model.name),
        format_bytes(model.size_bytes) if model.size_bytes else NONE,
        ("~" if model.params_guessed else "") + name(model.params, 12),
        name(model.quant, 16) if model.quant.replace("_", "").isalnum() else NONE,
        code(model.endpoint, 40),
    )
    if not model.cells:
        yield (*about, NONE, NONE, NONE, NONE, code(model.error or "not measured", 100))
    for cell in model.cells:
        done = (f"{cell.ok}/{cell.attempts}", _notes(cell))
        tests = [(test, cell.metrics.get(key)) for test, key in _tests(cell)]
        measured = [(test, figure) for test, figure in tests if figure is not None]
        for index, (test, figure) in enumerate(measured or tests[:1]):
            first = cell.metrics.get("ttft") if index == 0 else None
            yield (*about, test + setting(cell), _spread(figure), _first(first), *done)


def _tests(cell: Cell) -> tuple[tuple[str, str], ...]:
    n_in = "" if cell.n_in is None else str(cell.n_in)
    if "embedding_rate" in cell.metrics:
        return (("embed" + n_in, "embedding_rate"),)
    n_out = str(cell.n_out) if cell.n_out is not None and cell.n_out > 0 else ""
    return ("pp" + n_in, "prefill"), ("tg" + n_out, "decode")


def _spread(figure: Figure | None) -> str:
    if figure is None:
        return NONE
    basis = "" if figure.basis == "server" else f" ({figure.basis})"
    return digits(figure.median) + ("" if figure.sd is None else f" ± {digits(figure.sd)}") + basis


def _first(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return seconds(figure.median) + ("" if figure.sd is None else f" ± {seconds(figure.sd)}")


def _notes(cell: Cell) -> str:
    failed = [code(cause, 100) for cause in list(cell.failures)[:1]]
    void = [f"void: {code(cell.void, 80)}"] if cell.void else []
    stopped = [code(cell.stopped, 100)] if cell.stopped else []
    flags = [name(flag, 20) for flag in cell.flags if flag.isalpha()]
    return ", ".join((*void, *flags, *stopped, *failed))


def _conditions(found: Envelope) -> Iterator[str]:
    yield f"- {_host(found.host)}"
    yield from (f"- {_endpoint(endpoint)}" for endpoint in found.endpoints)
    yield f"- Puna {code(found.run.version, 20)}, {code(found.run.started_at, 40)}: {_command(found.run.arguments)}"


def _command(arguments: Sequence[str]) -> str:
    return code(" ".join(("puna meter", *arguments)), 300)


def _host(host: Host) -> str:
    gpus = [code(gpu) for gpu in host.gpus] or ["no GPU known"]
    ram = format_bytes(host.ram_bytes)
    return ", ".join((code(host.cpu), f"{host.cores} cores", f"{ram} of memory", *gpus, code(host.system)))


def _endpoint(endpoint: Endpoint) -> str:
    trip = "" if endpoint.round_trip_s is None else f", round trip {seconds(endpoint.round_trip_s)}"
    said = f"{code(endpoint.kind, 20)} {code(endpoint.version, 40)}"
    return f"{code(endpoint.name, 40)}: {code(endpoint.url, 200)}, {said}{trip}"
