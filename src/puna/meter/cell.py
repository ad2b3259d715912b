"""The result of one setting of one model: its records and what was seen around them. Statistics are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from puna.meter.plan import CellPlan, ListedModel, Settings
from puna.meter.records import RequestRecord

MAX_LAG_NS = 5_000_000
"""p99 of the event loop's lag above which a cell is void (§22)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """M23, the model in memory right after the warm-up (`/api/ps`). Bytes and tokens; 0 = the server does not say."""

    size: int
    size_vram: int
    context_length: int

    @property
    def gpu_share(self) -> float | None:
        """size_vram / size."""
        return self.size_vram / self.size if self.size else None

    @property
    def spill(self) -> int:
        """Bytes that are not in the GPU's memory: size - size_vram."""
        return self.size - self.size_vram


@dataclass(frozen=True, slots=True)
class Cell:
    """`records` are in the order in which they were sent, failed ones included, warm-ups and cold ones not."""

    plan: CellPlan
    settings: Settings
    records: tuple[RequestRecord, ...]
    wall_ns: int  # first send to last response end
    lag_p99_ns: int  # of this process's own event loop meanwhile
    contended: bool = False  # another model of the same endpoint was measured at the same time
    stopped: str = ""  # why not everything was sent: the depth does not fit, the endpoint is over-saturated

    @property
    def void(self) -> str:
        """Why these figures must not be used; empty for a good cell."""
        if self.lag_p99_ns <= MAX_LAG_NS:
            return ""
        return f"the meter itself lagged by {self.lag_p99_ns / 1e6:.1f} ms (p99)"


@dataclass(frozen=True, slots=True)
class ModelResult:
    """Everything measured of one model at one endpoint."""

    model: ListedModel
    cells: tuple[Cell, ...]
    loaded: Loaded | None = None
    warm_up: RequestRecord | None = None
    cold: RequestRecord | None = None

    @property
    def error(self) -> str | None:
        """The first error in the order of the requests."""
        return next((record.error for cell in self.cells for record in cell.records if record.error), None)


@dataclass(frozen=True, slots=True)
class Host:
    """Where the meter ran."""

    cpu: str
    cores: int
    ram_bytes: int
    gpus: tuple[str, ...]
    system: str


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    name: str
    url: str  # without credentials
    kind: str  # ollama | openai
    version: str
    round_trip_ns: int | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """One call of `puna meter`: what reports, exports and the history are made of."""

    id: str  # UUID4
    started_at: str  # UTC, ISO 8601
    arguments: tuple[str, ...]  # as typed, without secrets
    version: str  # Puna's
    host: Host
    endpoints: tuple[EndpointInfo, ...]
    models: tuple[ModelResult, ...]
