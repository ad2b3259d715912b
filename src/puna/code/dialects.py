"""Answers of `/api/generate` in the two dialects (contract code-completion §1.7). Pure.

The published API has seconds and a local time without a zone; Ollama's typed clients fail on both and want nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from puna.code.config import Dialect
from puna.code.types import Outcome
from puna.units import format_rfc3339

_MS = 1_000_000  # nanoseconds


def is_strict(dialect: Dialect, *, root_path: str, query: Mapping[str, str], user_agent: str) -> bool:
    """Whether a request is answered as Ollama does."""
    if dialect != "auto":
        return dialect == "ollama"
    return bool(root_path) or query.get("dialect") == "ollama" or user_agent.lower().startswith("ollama")


@dataclass(frozen=True, slots=True)
class Answer:
    """Writes the objects of one answer. `model` is the name that the request gave, maybe none."""

    model: str
    strict: bool
    debug: bool = False

    def piece(self, text: str, now: datetime) -> dict[str, Any]:
        return {**self._head(now), "response": text, "done": False}

    def last(
        self, text: str, outcome: Outcome, elapsed_ns: int, now: datetime, more: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The only or last object; `text` is what was not said before, `more` are further choices."""
        value = {
            **self._head(now),
            "response": text,
            "input_tokens": outcome.input_tokens,
            "output_tokens": outcome.output_tokens,
            "total_duration": elapsed_ns if self.strict else seconds(elapsed_ns),
            "done": True,
            "done_reason": outcome.reason,
            "prompt_eval_count": outcome.input_tokens,
            "eval_count": outcome.output_tokens,
        }
        if self.strict:
            value["load_duration"] = outcome.load_ns
            value["prompt_eval_duration"] = outcome.prompt_ns
            value["eval_duration"] = outcome.output_ns
        puna = explained(outcome) if self.debug else {}
        if more:
            puna["choices"] = list(more)
        return {**value, "puna": puna} if puna else value

    def _head(self, now: datetime) -> dict[str, Any]:
        return {"model": self.model or "default", "created_at": _written(now, strict=self.strict)}


def seconds(elapsed_ns: int) -> float:
    """Three decimals, rounded down so that it is never more than the client waited (U1).

    Below a millisecond there are six: no answer takes no time.
    """
    if elapsed_ns >= _MS:
        return elapsed_ns // _MS / 1000
    return max(elapsed_ns // 1000, 1) / 1_000_000


def explained(outcome: Outcome) -> dict[str, Any]:
    """Why the answer is as it is."""
    found = outcome.explanation
    return {
        "family": found.family,
        "order": found.order,
        "source": found.source,
        "cached_tokens": outcome.cached_tokens,
        "mode": found.mode,
        "trims": list(found.trims),
    }


def _written(now: datetime, *, strict: bool) -> str:
    """`now` is a time with its zone."""
    if not strict:
        return now.astimezone().strftime("%Y-%m-%dT%H:%M:%S")
    written = format_rfc3339(now.astimezone(UTC))
    return written if "." in written else written.replace("Z", ".0Z")
