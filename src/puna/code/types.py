"""The values that cross this room: what an editor asks, what comes back, what the operator set. Plain frozen data.

Durations are integer nanoseconds, token counts are the upstream's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from puna.prompts.fim import ContextFile as ContextFile  # what it is to prompts, it is here

Mode = Literal["auto", "line", "block", "raw", "warm"]
Reason = Literal["stop", "length", "cancel", "load", "unload"]
StopType = Literal["eos", "limit", "word"]


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One question for the text at the cursor, whatever dialect it came in."""

    prompt: str  # analysed by contract §1.4, unless `exact`
    suffix: str = ""
    model: str = ""  # as the client named it; empty = it named none
    raw: bool = False
    exact: bool = False  # `prompt` is the prefix as it stands: no marker and no header is looked for
    language: str = ""  # what the client says beside the prompt; wins over the header
    path: str = ""
    repo: str = ""
    extra: tuple[ContextFile, ...] = ()
    template: str = ""  # the request's own (§1.3)
    system: str = ""  # used by chat emulation only (D7)
    max_tokens: int = 128
    stop: tuple[str, ...] = ()
    sampling: Mapping[str, Any] = field(default_factory=dict)  # Ollama's names: temperature, seed, top_p, …
    keep_alive: Any = None  # passed to the upstream as it came
    mode: Mode | None = None  # None = the operator's
    session: str = ""  # what the client calls its session (`puna.session`, `id_slot`)
    client: str = ""  # which program asks, for "latest wins" (X3): the user agent
    caller: str = ""  # whose key the request carries; what one is shown answers no other (threats T24)
    min_indent: int = 0  # a line but the first with fewer blanks in front ends the answer (`n_indent`, I4)
    predict_ms: int = 0  # after this long an answer that has a whole line ends (`t_max_predict_ms`, I4); 0 = no limit
    debug: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the answer is as it is (§1.7 `puna`)."""

    family: str = ""
    order: str = ""
    source: str = ""  # the detection step: D0 … D7
    mode: str = ""
    trims: tuple[str, ...] = ()  # the rules that cut: Z1 … Z8
    prompt: str = ""  # as the upstream got it


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a completion ended."""

    reason: Reason
    stop_type: StopType = "eos"
    input_tokens: int = 0  # of the rendered prompt, cached ones included
    cached_tokens: int = 0  # as far as we know: Ollama's routes do not tell
    output_tokens: int = 0  # sampled, the terminating one included
    load_ns: int = 0
    prompt_ns: int = 0
    output_ns: int = 0
    truncated: bool = False  # the window cut prefix, suffix or context
    explanation: Explanation = Explanation()


@dataclass(frozen=True, slots=True)
class Piece:
    """One step of an answer: text that is decided, and on the last piece how it ended."""

    text: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class CodeConfig:
    """What the operator set (§1.5, §1.6, §2.4 D0)."""

    model: str = ""  # empty = the endpoint's newest model that completes text
    template: str = ""  # operator template, empty = the family's layout
    templates: Mapping[str, str] = field(default_factory=dict)  # by model name, family or language id; the nearest wins
    families: Mapping[str, str] = field(default_factory=dict)  # by model name: a family, `off` or a literal template
    mode: Mode = "auto"
    window: int = 3072  # prompt tokens
    max_lines: int = 16
    trim: bool = True
    rules_off: frozenset[str] = frozenset()  # single rules of §4.3 to leave out: "Z1" … "Z8"
    emulation: bool = True  # chat models without markers are asked in words (D7)
    supersede: bool = True
    strict_models: bool = False
    template_strict: bool = True
    parallel: int = 4
    queue: int = 16
    queue_s: float = 2.0
    deadline_s: float = 30.0
