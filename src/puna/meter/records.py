"""What one request looked like from here: stamps, counts and the server's own timings. Plain frozen data, no formulas.

Stamps are integer nanoseconds since the request was sent (t0, monotonic clock), taken when bytes arrive and before they
are parsed (contract meter §17, §22).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["chat", "embed"]
Part = Literal["answer", "thinking", "tool"]
Basis = Literal["server", "client", "estimated"]
"""Who counted: the server's fields, this client's clock, or a guess from what could be seen."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The arrival of one chunk that carried something."""

    at_ns: int
    part: Part
    characters: int


@dataclass(frozen=True, slots=True)
class ServerTimings:
    """What the server says of itself in the last line (§21). None = it did not say."""

    total_ns: int | None = None
    load_ns: int | None = None
    prompt_tokens: int | None = None  # cached ones included
    cached_tokens: int | None = None
    prompt_ns: int | None = None  # on the evaluated tokens only
    output_tokens: int | None = None  # thinking included
    output_ns: int | None = None
    drafted_tokens: int | None = None
    accepted_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request, failed ones included: `error` is None exactly when it succeeded, and is never empty (C5)."""

    model: str
    endpoint: str  # its name
    kind: Kind
    prompt: str
    started_at: str  # UTC, ISO 8601: one wall stamp per request
    send_ns: int = 0  # t0 since the cell began
    intended_ns: int | None = None  # when an open loop meant to send it, since the cell began
    connect_ns: int | None = None  # TCP and TLS, None on a connection that was there
    headers_ns: int | None = None
    first_chunk_ns: int | None = None  # any chunk, an empty one too
    stamps: tuple[Stamp, ...] = ()
    end_ns: int = 0  # the stream's end
    server: ServerTimings = ServerTimings()
    basis: Basis = "server"  # who counted the tokens
    repeated: bool = False  # this very text was sent to the model before, so that a cache may have helped
    inputs: int = 1  # texts of an embedding request
    vector_length: int | None = None
    done_reason: str = ""
    attempts: int = 1
    error: str | None = None
    warm_up: bool = False  # discarded from every statistic; its load time is the cold sample
    cold: bool = False  # sent right after a forced unload

    @property
    def ok(self) -> bool:
        return self.error is None
