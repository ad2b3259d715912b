"""What the numbers mean: one pure function per metric, from one request's record to seconds or rates.

The ids M1 to M32 and the formulas are those of contract meter §17: t0 is the send instant, h the response headers,
c1…ck the arrivals of chunks with content, thinking or a tool call, ca the first *answer* chunk, n_in and n_out the
tokens of the prompt and of the answer. A formula gives None where the record does not have what it needs. Metrics of a
whole cell are in `puna.meter.throughput`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from puna.meter.records import RequestRecord, ServerTimings, Stamp
from puna.units import NS

Formula = Callable[[RequestRecord], float | Sequence[float] | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """One column. `server` is preferred over `client`, for a whole cell: bases are never mixed (§18)."""

    key: str
    id: str  # of §17
    title: str
    unit: str  # s | tok/s | char/s | tok/chunk | ratio
    lower_is_better: bool
    client: Formula | None = None  # by this client's clock
    server: Formula | None = None  # by the server's own fields
    counts: bool = False  # whether the client's formula needs a count of output tokens, which may be an estimate


def output_tokens(record: RequestRecord) -> int | None:
    """n_out: the server's count; without one the chunks, as an estimate."""
    if record.server.output_tokens is not None:
        return record.server.output_tokens
    return len(record.stamps) or None


def ttft(record: RequestRecord) -> float | None:
    """M1, time to the first token: c1 - t0. Of an embedding request the whole of it (§6)."""
    if record.kind == "embed":
        return record.end_ns / NS
    return record.stamps[0].at_ns / NS if record.stamps else None


def first_response(record: RequestRecord) -> float | None:
    """M2, time to the first chunk of any kind: first chunk - t0."""
    return None if record.first_chunk_ns is None else record.first_chunk_ns / NS


def first_answer(record: RequestRecord) -> float | None:
    """M3, time to the first answer token: ca - t0. Equals M1 without thinking."""
    first = next((stamp for stamp in record.stamps if stamp.part == "answer"), None)
    return None if first is None else first.at_ns / NS


def second_token(record: RequestRecord) -> float | None:
    """M4, time to the second token: c2 - c1."""
    return (record.stamps[1].at_ns - record.stamps[0].at_ns) / NS if len(record.stamps) > 1 else None


def latency(record: RequestRecord) -> float | None:
    """M5, end-to-end latency: ck - t0. Of an embedding request the whole of it."""
    if record.kind == "embed":
        return record.end_ns / NS
    return record.stamps[-1].at_ns / NS if record.stamps else None


def tpot(record: RequestRecord) -> float | None:
    """M6, time per output token without the first: (M5 - M1) / (n_out - 1), n_out ≥ 2."""
    n_out, span = output_tokens(record), _span_ns(record.stamps)
    return span / NS / (n_out - 1) if n_out is not None and n_out > 1 and span else None


def normalised_tpot(record: RequestRecord) -> float | None:
    """M7, time per output token with the first: M5 / n_out."""
    return _ratio(latency(record), output_tokens(record))


def gaps(record: RequestRecord) -> Sequence[float]:
    """M8, inter-chunk gaps: all c(i) - c(i-1). Chunks, not tokens."""
    return [(after.at_ns - before.at_ns) / NS for before, after in pairwise(record.stamps)]


def tokens_per_chunk(record: RequestRecord) -> float | None:
    """M9: (n_out - 1) / (k - 1)."""
    n_out = record.server.output_tokens
    return _ratio(None if n_out is None else n_out - 1, len(record.stamps) - 1)


def decode_client(record: RequestRecord) -> float | None:
    """M10, decode rate by the client's clock: (n_out - 1) / (ck - c1)."""
    n_out = output_tokens(record)
    return _ratio(n_out - 1, _span_ns(record.stamps) / NS) if n_out is not None and n_out > 1 else None


def decode_server(record: RequestRecord) -> float | None:
    """M11, decode rate by the server: eval_count / eval_duration."""
    return _per_second(record.server.output_tokens, record.server.output_ns)


def prefill_server(record: RequestRecord) -> float | None:
    """M12, prefill rate by the server, uncached prompts only: prompt_eval_count / prompt_eval_duration.

    The count covers cached tokens, the duration only evaluated ones (§21). A server that tells how many were cached is
    taken at its word and they are left out; where they are most of the prompt, the few others would tell of overheads
    and not of a rate. From a server that does not tell, a text that was sent before gives none.
    """
    if is_cached(record) or record.server.prompt_tokens is None:
        return None
    return _per_second(record.server.prompt_tokens - (record.server.cached_tokens or 0), record.server.prompt_ns)


def prefill_client(record: RequestRecord) -> float | None:
    """M13, prefill rate by the client's clock: n_in / M1."""
    return None if is_cached(record) else _ratio(record.server.prompt_tokens, ttft(record))


def output_rate(record: RequestRecord) -> float | None:
    """M14, end-to-end output rate: n_out / M5."""
    return _ratio(output_tokens(record), latency(record))


def schedule_delay(record: RequestRecord) -> float | None:
    """M19, how late an open loop sent: actual - intended send."""
    return None if record.intended_ns is None else (record.send_ns - record.intended_ns) / NS


def queued_latency(record: RequestRecord) -> float | None:
    """M19, latency from the intended send: M5 + delay."""
    delay, whole = schedule_delay(record), latency(record)
    return None if delay is None or whole is None else whole + delay


def stream_setup(record: RequestRecord) -> float | None:
    """M20, until the response's headers: h - t0."""
    return None if record.headers_ns is None else record.headers_ns / NS


def pure_ttft(record: RequestRecord) -> float | None:
    """M20, the first token after the stream was set up: M1 - (h - t0)."""
    first, setup = ttft(record), stream_setup(record)
    return None if first is None or setup is None else first - setup


def adjusted_ttft(record: RequestRecord, handshake_s: float) -> float | None:
    """M20, without the network: max(0, M1 - mean TCP handshake)."""
    first = ttft(record)
    return None if first is None else max(0.0, first - handshake_s)


def connect(record: RequestRecord) -> float | None:
    """M20, setting up the connection (name, TCP, TLS), apart from everything else (C7); None for one that was there."""
    return None if record.connect_ns is None else record.connect_ns / NS


def load(record: RequestRecord) -> float | None:
    """M21, load_duration: of the first request after an unload the cold load, else the warm one."""
    return None if record.server.load_ns is None else record.server.load_ns / NS


def residual(record: RequestRecord) -> float | None:
    """M22, queueing and overhead of the server: total - load - prompt_eval - eval durations."""
    match record.server:
        case ServerTimings(total_ns=int(total), load_ns=int(load), prompt_ns=int(prompt), output_ns=int(output)):
            return (total - load - prompt - output) / NS
    return None


def thinking_share(record: RequestRecord) -> float | None:
    """M24, thinking tokens / n_out: tokens are split as the characters are, as no server counts them apart."""
    whole = sum(stamp.characters for stamp in record.stamps)
    return _ratio(sum(stamp.characters for stamp in record.stamps if stamp.part == "thinking"), whole)


def length_mismatch(record: RequestRecord, requested: int | None) -> float | None:
    """M25: (n_out - requested) / requested."""
    n_out = record.server.output_tokens
    return (n_out - requested) / requested if n_out is not None and requested and requested > 0 else None


def draft_acceptance(record: RequestRecord) -> float | None:
    """M26, draft acceptance rate: accepted / drafted."""
    return _ratio(record.server.accepted_tokens, record.server.drafted_tokens)


def characters_rate(record: RequestRecord) -> float | None:
    """Characters per second after the first chunk: comparable across tokenizers (§22)."""
    after_first = sum(stamp.characters for stamp in record.stamps[1:])
    return _ratio(after_first, _span_ns(record.stamps) / NS) if len(record.stamps) > 1 else None


def embedding_rate(record: RequestRecord) -> float | None:
    """M28 of one request: n_in / (total - load); there is no evaluation time in an embedding's answer (§21)."""
    said = record.server
    if record.kind != "embed" or said.total_ns is None:
        return None
    return _per_second(said.prompt_tokens, said.total_ns - (said.load_ns or 0))


def embedding_inputs(record: RequestRecord) -> float | None:
    """M28 of one request: texts per second by the client's clock."""
    return _ratio(record.inputs, record.end_ns / NS) if record.kind == "embed" else None


def is_cached(record: RequestRecord) -> bool:
    """Whether the prompt's evaluation was, or may have been, saved by a cache."""
    cached, tokens = record.server.cached_tokens, record.server.prompt_tokens
    if cached is None:
        return record.repeated
    return tokens is None or 2 * cached >= tokens


METRICS: Mapping[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("ttft", "M1", "TTFT", "s", True, ttft),
        Metric("first_response", "M2", "First response", "s", True, first_response),
        Metric("first_answer", "M3", "First answer", "s", True, first_answer),
        Metric("second_token", "M4", "Second token", "s", True, second_token),
        Metric("latency", "M5", "Latency", "s", True, latency),
        Metric("tpot", "M6", "TPOT", "s", True, tpot, counts=True),
        Metric("normalised_tpot", "M7", "TPOT, first included", "s", True, normalised_tpot, counts=True),
        Metric("gap", "M8", "Inter-chunk gap", "s", True, gaps),
        Metric("tokens_per_chunk", "M9", "Tokens per chunk", "tok/chunk", False, tokens_per_chunk),
        Metric("decode", "M11", "Decode", "tok/s", False, decode_client, decode_server, counts=True),
        Metric("prefill", "M12", "Prefill", "tok/s", False, prefill_client, prefill_server),
        Metric("output_rate", "M14", "Output rate", "tok/s", False, output_rate, counts=True),
        Metric("delay", "M19", "Schedule delay", "s", True, schedule_delay),
        Metric("queued_latency", "M19", "Latency from the intended send", "s", True, queued_latency),
        Metric("setup", "M20", "Stream setup", "s", True, stream_setup),
        Metric("pure_ttft", "M20", "TTFT after setup", "s", True, pure_ttft),
        Metric("connect", "M20", "Connection setup", "s", True, connect),
        Metric("load", "M21", "Load", "s", True, server=load),
        Metric("residual", "M22", "Server residual", "s", True, server=residual),
        Metric("thinking_share", "M24", "Thinking", "ratio", True, thinking_share),
        Metric("draft_acceptance", "M26", "Drafts accepted", "ratio", False, server=draft_acceptance),
        Metric("characters", "§22", "Visible characters", "char/s", False, characters_rate),
        Metric("embedding_rate", "M28", "Embedding", "tok/s", False, server=embedding_rate),
        Metric("embedding_inputs", "M28", "Texts", "texts/s", False, embedding_inputs),
    )
}
"""By key, in the order of §17."""


def _span_ns(stamps: Sequence[Stamp]) -> int:
    return stamps[-1].at_ns - stamps[0].at_ns if stamps else 0


def _ratio(value: float | None, by: float | None) -> float | None:
    return value / by if value is not None and by is not None and by > 0 else None


def _per_second(count: int | None, span_ns: int | None) -> float | None:
    return _ratio(count, None if span_ns is None else span_ns / NS) if count else None
