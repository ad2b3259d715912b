"""Which model is fastest here: time to first token, tokens per second and more, told honestly.

What other programs may use is below, loaded when it is first named. The names are those of the reference tool's page
(contract meter §1): a client carries its endpoint's address and key, which are no arguments therefore. Its parser and
its entry point are the command line's, `puna.cli.metering` and `puna.cli.commands.meter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from puna.meter.calls import (
        benchmark_chat_single_run,
        benchmark_embed_single_run,
        benchmark_model,
        fetch_model_show,
        fetch_tags,
        is_embedding_model,
        process_single_model,
        stream_table,
    )
    from puna.meter.config import Config
    from puna.meter.export import export_results, format_csv, format_json
    from puna.meter.formats import extract_context_length, format_capabilities, format_float_or_na
    from puna.meter.listing import sort_by_modified
    from puna.meter.matching import match_model
    from puna.meter.mode import resolve_mode
    from puna.meter.result import BenchmarkResult, ExportRow
    from puna.meter.sizes import format_size
    from puna.meter.sorting import SortSpec, sort_results
    from puna.meter.table import build_table

__all__ = [
    "BenchmarkResult",
    "Config",
    "ExportRow",
    "SortSpec",
    "benchmark_chat_single_run",
    "benchmark_embed_single_run",
    "benchmark_model",
    "build_table",
    "export_results",
    "extract_context_length",
    "fetch_model_show",
    "fetch_tags",
    "format_capabilities",
    "format_csv",
    "format_float_or_na",
    "format_json",
    "format_size",
    "is_embedding_model",
    "match_model",
    "process_single_model",
    "resolve_mode",
    "sort_by_modified",
    "sort_results",
    "stream_table",
]

_HOMES = {
    "BenchmarkResult": "result",
    "Config": "config",
    "ExportRow": "result",
    "SortSpec": "sorting",
    "build_table": "table",
    "export_results": "export",
    "extract_context_length": "formats",
    "format_capabilities": "formats",
    "format_csv": "export",
    "format_float_or_na": "formats",
    "format_json": "export",
    "format_size": "sizes",
    "match_model": "matching",
    "resolve_mode": "mode",
    "sort_by_modified": "listing",
    "sort_results": "sorting",
}  # all others are in `calls`


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'calls')}"), name)
