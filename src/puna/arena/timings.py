"""Where the time of one answer went (contract arena §2.9): the upstream's durations, and our own clock. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from puna.arena.metrics import Metrics, Stopwatch, counter
from puna.units import NS

COLD_S = 0.2  # a model that took longer to load was not there


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds; None where nobody knows.

    Load, prompt and generation are the upstream's. Queue, thinking and wall are ours, as are the first tokens, which
    count from when the upstream was asked: waiting for a place is no fault of a model.
    """

    queue_s: float = 0.0
    load_s: float | None = None
    prompt_s: float | None = None
    thinking_s: float | None = None
    generation_s: float | None = None
    wall_s: float = 0.0
    first_token_s: float | None = None
    first_answer_s: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None  # thinking included
    prompt_per_s: float | None = None
    output_per_s: float | None = None
    context_used: float | None = None  # 0 to 1
    done_reason: str = ""
    cold: bool = False
    contended: bool = False  # another answer was on its way from the same endpoint: no fair speed
    stopped: bool = False  # by the person: the text so far stays
    parts: int = 1  # that the answer came in: one that was continued has more
    partial: bool = False  # some part was not measured, and is not in here

    def wire(self) -> dict[str, Any]:
        """By name; times of three decimals, rates of two. How many parts only where there are several."""
        named = (field.name for field in fields(self) if self.parts > 1 or field.name not in ("parts", "partial"))
        return {name: _rounded(name, getattr(self, name)) for name in named}


def timings(
    line: Mapping[str, Any],
    watch: Stopwatch,
    metrics: Metrics,
    *,
    asked_ns: int,
    now_ns: int,
    n_ctx: int | None = None,
    contended: bool = False,
    stopped: bool = False,
) -> Timings:
    """`line` is the upstream's last one, empty where it was stopped; `n_ctx` are the tokens that fit, where known."""
    load, prompt_ns = counter(line, "load_duration"), counter(line, "prompt_eval_duration")
    prompt_tokens = counter(line, "prompt_eval_count")
    reason = line.get("done_reason")
    return Timings(
        queue_s=(watch.began - asked_ns) / NS,
        load_s=_seconds(load),
        prompt_s=_seconds(prompt_ns),
        thinking_s=_thinking(watch, now_ns),
        generation_s=metrics.duration_ns / NS if metrics.tokens else None,
        wall_s=(now_ns - asked_ns) / NS,
        first_token_s=_since(watch.began, watch.first),
        first_answer_s=_since(watch.began, watch.first_answer),
        prompt_tokens=prompt_tokens,
        output_tokens=metrics.tokens,
        prompt_per_s=_rate(prompt_tokens, prompt_ns),
        output_per_s=_rate(metrics.tokens, metrics.duration_ns),
        context_used=min(1.0, ((prompt_tokens or 0) + metrics.tokens) / n_ctx) if n_ctx else None,
        done_reason=reason if isinstance(reason, str) else "",
        cold=(load or 0) > COLD_S * NS,
        contended=contended,
        stopped=stopped,
    )


def _thinking(watch: Stopwatch, now_ns: int) -> float | None:
    """From the first thought to the answer, or to the end without one."""
    if watch.first is None or watch.first == watch.first_answer:
        return None
    return ((watch.first_answer or now_ns) - watch.first) / NS


def _seconds(ns: int | None) -> float | None:
    return None if ns is None else ns / NS


def _since(began: int, then: int | None) -> float | None:
    return None if then is None else (then - began) / NS


def _rate(tokens: int | None, ns: int | None) -> float | None:
    return tokens / (ns / NS) if tokens and ns else None


def _rounded(name: str, value: Any) -> Any:
    return round(value, 2 if name.endswith("_per_s") else 3) if isinstance(value, float) else value
