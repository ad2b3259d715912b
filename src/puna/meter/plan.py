"""What is to be measured: endpoints, models and the settings that are pinned while measuring. Plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from puna.client.endpoint import Endpoint

Arrival = Literal["closed", "constant", "poisson", "gamma"]

PROMPTS = ("why is the sky blue?", "explain quantum computing in one paragraph", "write a haiku about rain")
"""The reference's built-in prompts (§5)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One server: `native` speaks Ollama's routes, otherwise OpenAI's under `/v1` (§24, 17)."""

    name: str  # local, cloud, or what `--endpoint NAME=URL` calls it
    endpoint: Endpoint
    native: bool = True
    embeds: bool = True  # False: embedding models are asked to chat, as the reference does in the cloud (§6)

    @property
    def is_local(self) -> bool:
        return self.name == "local"


@dataclass(frozen=True, slots=True)
class Settings:
    """What every request of a cell shares; part of what makes two results comparable (C2)."""

    num_predict: int | None = None
    num_ctx: int | None = None
    seed: int | None = None
    temperature: float | None = None
    think: bool | str | None = None
    timeout_s: float = 300.0  # wall deadline of one request (C8)

    def options(self) -> dict[str, Any]:
        """Ollama's `options`; only what was pinned."""
        named = {
            "num_predict": self.num_predict,
            "num_ctx": self.num_ctx,
            "seed": self.seed,
            "temperature": self.temperature,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One setting of one model, measured by some requests."""

    prompts: tuple[str, ...] = PROMPTS
    repeats: int = 1  # of the whole list of prompts
    depth: int = 0  # tokens of context before each prompt
    concurrency: int = 1
    arrival: Arrival = "closed"
    rate: float | None = None  # requests per second of an open loop
    shape: float | None = None  # k of the gamma distribution
    duration_s: float | None = None  # instead of a count
    batch: int = 1  # texts per embedding request
    seed: int = 0  # of prompts and arrivals


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole measurement."""

    cells: tuple[CellPlan, ...] = (CellPlan(),)
    settings: Settings = Settings()
    parallel: int = 1  # models measured side by side (the reference's `--parallel`)
    warm_up: bool = True
    cold: bool = False  # also measure one load after a forced unload
    cool_down_s: float = 0.0
    unique_prompts: bool = False  # a different text at the start of each prompt, so that no cache helps


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model of an endpoint as its lists describe it (§8): the overlay of `details` in tags and show."""

    target: str
    name: str
    digest: str = ""
    size_bytes: int = 0
    modified_at: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    model_info: Mapping[str, Any] = field(default_factory=dict)
    capabilities: tuple[str, ...] | None = None  # None = unknown, the show call failed
    show_error: str | None = None

    @property
    def is_embedding(self) -> bool:
        return "embedding" in (self.capabilities or ())

    @property
    def thinks(self) -> bool:
        return "thinking" in (self.capabilities or ())
