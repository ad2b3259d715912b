"""The values that cross the engine's door: what to load, what to ask, what comes back. Plain frozen data, no I/O.

Tokens are ids of the model's own vocabulary, durations are integer nanoseconds, sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from puna.engine.schema import Constraint
from puna.names import Digest, ModelName
from puna.prompts.messages import Message, ToolCall


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA file and how strongly it works: 0 = not at all, 1 = as it was made."""

    path: Path
    size: int  # bytes
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Weights:
    """What one runner loads. Two model names with equal weights share a runner (contract ollama-http §5.1)."""

    digest: Digest
    path: Path
    size: int  # bytes of the weights, projectors and adapters on disk
    architecture: str
    train_ctx: int  # trained context length in tokens, 0 = unknown
    kv_bytes_per_token: int  # f16 K and V of one token over all layers, 0 = unknown
    embedding_only: bool = False  # the GGUF names a pooling type: no logits, parallelism 1
    reranker: bool = False  # … and it is that of a cross-encoder: one score per text
    adapters: tuple[Adapter, ...] = ()
    projectors: tuple[Path, ...] = ()
    draft: Path | None = None


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """The options marked **L** in contract ollama-http §4.1: another effective value reloads the runner.

    None = automatic.
    """

    num_ctx: int | None = None
    num_batch: int | None = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: int | None = None
    draft_num_predict: int | None = None
    shift: bool = True  # context shift is fixed when the runner starts


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """The per-request options of §4.1 with their defaults."""

    num_keep: int = 4
    seed: int = -1
    num_predict: int = -1
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    temperature: float = 0.8
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    logit_bias: tuple[tuple[int, float], ...] = ()  # token id and what is added to its logit; no option of §4.1


@dataclass(frozen=True, slots=True)
class Logprob:
    token: str
    logprob: float
    raw: bytes  # UTF-8 bytes of the token; may be a part of a character
    top: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Final:
    """How a generation ended, from the engine's own `timings`, not from a stopwatch."""

    reason: Literal["stop", "length"]
    prompt_tokens: int  # the whole prompt, cached part included
    cached_tokens: int
    prompt_ns: int  # time on the tokens really evaluated
    output_tokens: int
    output_ns: int
    stop_text: str = ""  # the stop sequence that ended it, where the engine says so


@dataclass(frozen=True, slots=True)
class Chunk:
    """One step of a stream. Several fields may be set at once; `final` only on the last chunk."""

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: tuple[int, ...] = ()
    logprobs: tuple[Logprob, ...] = ()
    final: Final | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """One request for raw text: the prompt goes to the tokenizer as it is (special tokens are parsed)."""

    prompt: str | Sequence[int]
    sampling: SamplingOptions
    constraint: Constraint | None = None  # what the answer must fit
    n_probs: int = -1  # -1 = no logprobs; 0 = the sampled token's only; n = plus n alternatives
    media: tuple[bytes, ...] = ()  # images or audio for the markers in the prompt


@dataclass(frozen=True, slots=True)
class ChatCompletion:
    """One request that the engine renders with the model's Jinja template and parses (tools, reasoning)."""

    messages: Sequence[Message]
    sampling: SamplingOptions
    tools: Sequence[Mapping[str, Any]] = ()
    think: bool | str | None = None  # None = the template's own default
    n_probs: int = -1


@dataclass(frozen=True, slots=True)
class Embeddings:
    vectors: list[list[float]]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Scores:
    scores: list[float]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Props:
    """What a ready runner says about itself."""

    n_ctx: int  # tokens per slot, as allocated
    media_marker: str  # stands for one image or sound in a raw prompt; random per start
    vision: bool
    audio: bool
    supports_tools: bool  # False: the Jinja template knows no tools and the engine ignores them in silence
    adds_bos: bool
    adds_eos: bool
    n_vocab: int  # tokens that the model knows


@dataclass(frozen=True, slots=True)
class Memory:
    """What is free now, in bytes. `free` and `total` are the system's, bounded by this process's cgroup."""

    free: int
    total: int
    gpus: tuple[GpuMemory, ...] = ()

    @property
    def budget(self) -> int:
        """Where weights and caches go first: the GPUs where there are any."""
        return sum(gpu.free for gpu in self.gpus) or self.free


@dataclass(frozen=True, slots=True)
class GpuMemory:
    name: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class RunningModel:
    """One row of `ps`: a snapshot for a report, never a reason to act."""

    name: ModelName  # the model that caused the load
    manifest: Digest
    weights: Weights
    memory: int  # bytes, RAM and VRAM together
    memory_gpu: int
    n_ctx: int
    slots: int
    expires_at_ns: int | None  # Unix time in ns; None = for ever
    busy: int = 0  # requests being answered now
    loading: bool = False  # it answers nobody yet
    pid: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
