"""Where results go beside the terminal: which forms, which files (contract meter §11, §24). Reports make the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from puna.meter.cell import RunResult
from puna.meter.export import deliver, format_csv, format_json
from puna.meter.history import HistoryRow
from puna.meter.options import Options, Output
from puna.meter.result import ExportRow
from puna.meter.slo import Slo


def write(
    output: Output,
    options: Options,
    rows: Sequence[ExportRow],
    run: RunResult,
    earlier: Iterable[HistoryRow] = (),
) -> None:
    """One form of the results, also of none. `earlier` are those of a run that this one went on with.

    Raises `PunaError`.
    """
    deliver(_text(output, options, rows, run, earlier), output.path)


def _text(
    output: Output, options: Options, rows: Sequence[ExportRow], run: RunResult, earlier: Iterable[HistoryRow]
) -> str:
    shown = options.num_runs, options.show_ttft, options.show_tps, options.verbose
    match output.kind:
        case "json":
            return format_json(rows, *shown)
        case "csv":
            return format_csv(rows, *shown)
        case "raw":
            from puna.meter.report.raw import raw_lines

            return "".join(f"{line}\n" for line in raw_lines(run))
        case "v2" | "md" | "html":
            return _report(output.kind, run, options.slo, earlier)


def _report(kind: Literal["v2", "md", "html"], run: RunResult, slo: Slo | None, earlier: Iterable[HistoryRow]) -> str:
    from puna.meter.report.envelope import as_text, envelope
    from puna.meter.report.html import lanes, page
    from puna.meter.report.markdown import markdown
    from puna.meter.report.schema import read_model

    found = envelope(run, slo)
    kept = [model for row in earlier if (model := read_model(row.result or "")) is not None]
    whole = found.model_copy(update={"models": (*kept, *found.models)})
    match kind:
        case "v2":
            return as_text(whole)
        case "md":
            return markdown(whole)
        case "html":
            return page(whole, lanes(run))
