"""The v2 envelope's types: a measurement as other programs read it (contract meter §24, the last table).

One shape serves the file (`--format v2`), the history (one `Model` per row), the Markdown and HTML reports and the
comparison. A file may come from a stranger: sizes are bounded, numbers are finite, unknown fields are left out. Times
are seconds, rates are per second, sizes are bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, ValidationError

from puna.errors import BadRequest
from puna.meter.records import Basis

MAX_BYTES = 64 << 20
"""Of a file that is read; a month of hourly runs of thirty models is a tenth of it."""

MAX_TEXT = 4096
"""Characters of a name, an address, an error. What is written is cut to it, so that it can be read again."""

MAX_PROMPT = 1 << 20
MAX_ITEMS = 10_000  # models of a run, cells of a model, prompts, arguments

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Prompt = Annotated[str, StringConstraints(max_length=MAX_PROMPT)]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Whole = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Interval = tuple[FiniteFloat, FiniteFloat]
Items = Field(default=(), max_length=MAX_ITEMS)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Figure(_Part):
    """One metric over the requests of a cell, in `unit`; `id` is the metric's of §17."""

    id: Text
    unit: Text
    n: Count
    median: FiniteFloat
    mean: FiniteFloat
    minimum: FiniteFloat
    maximum: FiniteFloat
    sd: FiniteFloat | None = None
    ci95: Interval | None = None
    percentiles: dict[Text, FiniteFloat] = Field(default={}, max_length=100)  # p50, p90, p95, p99
    basis: Basis


class Total(_Part):
    """One number for the whole cell."""

    id: Text
    unit: Text
    value: FiniteFloat


class AnswerTime(_Part):
    """Seconds to a useful answer of a shape such as `1k in, 300 out` (§24, row 4)."""

    title: Text
    seconds: FiniteFloat
    estimated: bool


class CellSettings(_Part):
    """What was pinned; None = left to the server."""

    num_predict: Whole | None = None
    num_ctx: Whole | None = None
    seed: Whole | None = None
    temperature: FiniteFloat | None = None
    think: bool | Text | None = None
    timeout_s: FiniteFloat = 300.0


class Cell(_Part):
    depth: Count = 0
    n_in: Count | None = None  # tokens of a prompt, the median; None = the server does not say
    n_out: Whole | None = None  # the target; None = as long as the model likes
    concurrency: Count = 1
    arrival: Text = "closed"
    rate: FiniteFloat | None = None
    shape: FiniteFloat | None = None
    duration_s: FiniteFloat | None = None
    batch: Count = 1
    think: bool | Text | None = None
    settings: CellSettings = CellSettings()
    prompts: Text = ""  # a key of the run's `prompts`
    metrics: dict[Text, Figure] = Field(default={}, max_length=200)
    totals: dict[Text, Total] = Field(default={}, max_length=200)
    answers: dict[Text, AnswerTime] = Field(default={}, max_length=100)
    attempts: Count = 0  # requests
    ok: Count = 0
    retries: Count = 0  # tries of these requests beyond the first
    failures: dict[Text, Count] = Field(default={}, max_length=MAX_ITEMS)  # by cause
    flags: tuple[Text, ...] = Items
    void: Text | None = None  # why these figures must not be used
    stopped: Text | None = None  # why not everything was sent
    lag_p99_s: FiniteFloat = 0.0
    wall_s: FiniteFloat = 0.0


class Memory(_Part):
    """M23, right after the warm-up."""

    size: Count
    size_vram: Count
    gpu_share: FiniteFloat | None = None
    spill: Whole = 0


class Load(_Part):
    """M21: how long loading took, and the first token of that request."""

    load_s: FiniteFloat | None = None
    ttft_s: FiniteFloat | None = None


class Model(_Part):
    name: Text
    endpoint: Text = ""
    url: Text = ""
    digest: Text = ""
    size_bytes: Count = 0
    params: Text = ""
    params_guessed: bool = False  # from the name
    quant: Text = ""
    context_max: Count = 0
    context_used: Count = 0  # what the server allocated
    capabilities: tuple[Text, ...] | None = None
    modified_at: Text = ""
    memory: Memory | None = None
    warm_up: Load | None = None
    cold: Load | None = None  # after a forced unload
    error: Text | None = None
    cells: tuple[Cell, ...] = Items


class Host(_Part):
    cpu: Text = ""
    cores: Count = 0
    ram_bytes: Count = 0
    gpus: tuple[Text, ...] = Items
    system: Text = ""


class Endpoint(_Part):
    name: Text
    url: Text
    kind: Text = ""
    version: Text = ""
    round_trip_s: FiniteFloat | None = None


class Run(_Part):
    id: Text
    started_at: Text
    arguments: tuple[Text, ...] = Items
    seed: Whole = 0
    version: Text = ""
    slo_ms: dict[Text, FiniteFloat] | None = None
    prompts: dict[Text, Annotated[tuple[Prompt, ...], Field(max_length=MAX_ITEMS)]] = Field(
        default={}, max_length=100
    )  # by SHA-256


class Envelope(_Part):
    # Named by an alias: `schema` itself would hide a method of pydantic's.
    schema_: Literal["puna.meter/2"] = Field(default="puna.meter/2", alias="schema")
    run: Run
    host: Host = Host()
    endpoints: tuple[Endpoint, ...] = Items
    models: tuple[Model, ...] = Items


def read_envelope(text: str | bytes) -> Envelope:
    """A v2 file's content. Raises `BadRequest` that names the first thing wrong with it."""
    if len(text) > MAX_BYTES:
        raise BadRequest(f"that is no measurement: it is larger than {MAX_BYTES >> 20} MiB")
    try:
        return Envelope.model_validate_json(text)
    except ValidationError as error:
        raise BadRequest(f"that is no measurement of puna.meter/2: {_first(error)}") from None


def read_model(text: str) -> Model | None:
    """The model's object of a history row; None when it is none."""
    try:
        return Model.model_validate_json(text)
    except ValidationError:
        return None


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part)[:40] for part in found["loc"][:8])
    return f"{place}: {found['msg']}" if place else found["msg"]
