"""What a whole cell did: rates over its wall time W, peaks, failures (contract meter §17, M15 to M18, M27, M28, M31).

W is from the first send to the last response's end. Counts are the server's, or chunks where it does not count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate

from puna.meter.cell import Cell
from puna.meter.metrics import decode_server, is_cached, output_tokens
from puna.meter.records import RequestRecord
from puna.units import NS


def output_throughput(cell: Cell) -> float | None:
    """M15, system output rate: Σ n_out / W, tokens per second."""
    return _over(sum(output_tokens(record) or 0 for record in _good(cell)), cell.wall_ns)


def total_throughput(cell: Cell) -> float | None:
    """M15, total rate: Σ(n_in + n_out) / W, tokens per second."""
    tokens = sum((output_tokens(record) or 0) + (record.server.prompt_tokens or 0) for record in _good(cell))
    return _over(tokens, cell.wall_ns)


def request_throughput(cell: Cell) -> float | None:
    """M16: completed / W, requests per second."""
    return _over(len(_good(cell)), cell.wall_ns)


def peak_output_rate(cell: Cell) -> float | None:
    """M18, the best second: tokens per second in buckets of 1 s; tokens are spread over their chunks evenly."""
    seconds: dict[int, float] = defaultdict(float)
    for record in _good(cell):
        for stamp in record.stamps:
            seconds[(record.send_ns + stamp.at_ns) // NS] += (output_tokens(record) or 0) / len(record.stamps)
    return max(seconds.values(), default=None)


def peak_concurrency(cell: Cell) -> int:
    """M18, requests that overlapped, by sweep line; an end and a start at the same instant do not overlap."""
    edges = sorted(
        [(record.send_ns, 1) for record in cell.records]
        + [(record.send_ns + record.end_ns, -1) for record in cell.records]
    )
    return max(accumulate(change for _, change in edges), default=0)


def mean_concurrency(cell: Cell) -> float | None:
    """M18: Σ latency / W."""
    return _ratio(sum(record.end_ns for record in cell.records), cell.wall_ns)


def error_rate(cell: Cell) -> float | None:
    """M27: failed / (completed + failed)."""
    return _ratio(sum(not record.ok for record in cell.records), len(cell.records))


def failures(cell: Cell) -> dict[str, int]:
    """M27 by cause: how many requests failed with each text, the most frequent first."""
    return dict(Counter(record.error for record in cell.records if record.error is not None).most_common())


def embedding_throughput(cell: Cell) -> tuple[float, float] | None:
    """M28: inputs / W and Σ n_in / W, per second; None for a cell without embeddings."""
    good = [record for record in _good(cell) if record.kind == "embed"]
    inputs = _over(sum(record.inputs for record in good), cell.wall_ns)
    tokens = _over(sum(record.server.prompt_tokens or 0 for record in good), cell.wall_ns)
    return (inputs, tokens) if good and inputs is not None and tokens is not None else None


def batched_rates(cell: Cell) -> tuple[float, float] | None:
    """M31, prefill and decode of requests that went together: S_PP = B·PP / T_PP and S_TG = B·TG / T_TG.

    T_PP is from the first send to the last first token, T_TG from there to the last token. None where requests did not
    all start before the first of them spoke, as then the two phases overlap.
    """
    good = [record for record in _good(cell) if record.stamps]
    if not good:
        return None
    sent = [record.send_ns for record in good]
    firsts = [record.send_ns + record.stamps[0].at_ns for record in good]
    lasts = [record.send_ns + record.stamps[-1].at_ns for record in good]
    prefill = _over(sum(record.server.prompt_tokens or 0 for record in good), max(firsts) - min(sent))
    decode = _over(sum(output_tokens(record) or 0 for record in good), max(lasts) - max(firsts))
    together = max(sent) < min(firsts)
    return (prefill, decode) if together and prefill is not None and decode is not None else None


def pooled_decode(cell: Cell) -> float | None:
    """§20, pooled decode rate: Σ tokens / Σ time, by the server where it says (M11), else by the client (M10)."""
    good = _good(cell)
    by_server = [record for record in good if decode_server(record) is not None]
    if by_server:
        return _pooled((record.server.output_tokens or 0, record.server.output_ns or 0) for record in by_server)
    seen = [record for record in good if len(record.stamps) > 1]
    return _pooled(
        ((output_tokens(record) or 1) - 1, record.stamps[-1].at_ns - record.stamps[0].at_ns) for record in seen
    )


def pooled_prefill(cell: Cell) -> float | None:
    """§20, pooled prefill rate by the server over uncached prompts: Σ tokens / Σ time (M12)."""
    fresh = [record for record in _good(cell) if not is_cached(record) and record.server.prompt_ns]
    return _pooled(
        ((record.server.prompt_tokens or 0) - (record.server.cached_tokens or 0), record.server.prompt_ns or 0)
        for record in fresh
    )


def _good(cell: Cell) -> Sequence[RequestRecord]:
    return [record for record in cell.records if record.ok]


def _pooled(pairs: Iterable[tuple[int, int]]) -> float | None:
    """From pairs of tokens and nanoseconds."""
    tokens, span_ns = 0, 0
    for count, took_ns in pairs:
        tokens, span_ns = tokens + count, span_ns + took_ns
    return _over(tokens, span_ns)


def _over(count: float, span_ns: int) -> float | None:
    return count / (span_ns / NS) if span_ns > 0 else None


def _ratio(value: float, by: float) -> float | None:
    return value / by if by > 0 else None
