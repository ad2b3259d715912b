"""What a face asks of a model, in no dialect: every dialect's body becomes one of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from puna.prompts.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRequest:
    """What generate and chat have in common (contract ollama-http §3.5)."""

    options: Mapping[str, Any] = field(default_factory=dict)
    keep_alive_ns: int | None = None  # None = the runner's current setting
    format: Any = None  # "json", a JSON Schema, or unset (None, "")
    think: bool | str | None = None
    truncate: bool = True
    shift: bool | None = None  # None = the family's default
    n_probs: int = -1  # -1 = no logprobs, otherwise how many alternatives per token
    logit_bias: Mapping[int, float] = field(default_factory=dict)  # token id → what is added to its logit, −100…100
    render_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest(InferenceRequest):
    prompt: str
    suffix: str = ""
    system: str = ""
    template: str = ""
    context: Sequence[int] | None = None
    raw: bool = False
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(InferenceRequest):
    messages: Sequence[Message]
    tools: Sequence[Mapping[str, Any]] = ()
    must_call: Sequence[str] = ()  # names of `tools`: the answer is one call of one of them, on any model
    parallel_tool_calls: bool = True  # False: the first call is kept, the others are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankRequest:
    query: str
    documents: Sequence[str]
    truncate: bool = True  # False: a document that is too long is refused
    options: Mapping[str, Any] = field(default_factory=dict)
    keep_alive_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    inputs: Sequence[str]
    truncate: bool = True
    dimensions: int = 0  # > 0 and below the native size: cut, then normalised again
    normalize: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    keep_alive_ns: int | None = None
