"""TTFT and TPS as the reference tool reckons them, for the exports that it defined (contract meter §6, C16)."""

from __future__ import annotations

from dataclasses import dataclass

from puna.meter.metrics import decode_client, decode_server, ttft
from puna.meter.records import Basis, RequestRecord
from puna.units import NS


@dataclass(frozen=True, slots=True)
class Tps:
    """Tokens per second. `of_total`: the whole request's duration had to stand in, which is marked `*` (C16)."""

    value: float
    basis: Basis = "server"
    of_total: bool = False


def reference_ttft(record: RequestRecord, *, thinks: bool) -> float | None:
    """Seconds to the first content; thinking counts for a model that `thinks`, a tool call never does."""
    if record.kind == "embed":
        return ttft(record)
    parts = ("answer", "thinking") if thinks else ("answer",)
    first = next((stamp for stamp in record.stamps if stamp.part in parts), None)
    return None if first is None else first.at_ns / NS


def reference_tps(record: RequestRecord) -> Tps | None:
    """eval_count / eval_duration, else / total_duration; of an embedding prompt_eval_count / total_duration.

    An endpoint that tells no durations has its rate taken by the client's clock (M10).
    """
    said = record.server
    if record.kind == "embed":
        rate = _rate(said.prompt_tokens, said.total_ns)
        return None if rate is None else Tps(rate)
    if (rate := decode_server(record)) is not None:
        return Tps(rate)
    if (rate := _rate(said.output_tokens, said.total_ns)) is not None:
        return Tps(rate, of_total=True)
    rate = decode_client(record)
    return None if rate is None else Tps(rate, "estimated" if record.basis == "estimated" else "client")


def _rate(tokens: int | None, span_ns: int | None) -> float | None:
    return tokens / (span_ns / NS) if tokens is not None and span_ns else None
