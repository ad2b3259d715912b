"""What the request bodies of the native and of OpenAI's routes have in common beside `puna.serving.bodies`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from puna.engine.adapters import MAX_SCALE
from puna.serving.bodies import Wire

__all__ = ["AdapterBody", "TopLogprobs", "Wire"]


def _check_top_logprobs(value: int) -> int:
    if not 0 <= value <= 20:
        raise ValueError("top_logprobs must be between 0 and 20")
    return value


TopLogprobs = Annotated[int, AfterValidator(_check_top_logprobs)]


def _check_scale(value: float) -> float:
    if not -MAX_SCALE <= value <= MAX_SCALE:  # no number is not between them either
        raise ValueError(f"adapters: scale must be a number from -{MAX_SCALE:g} to {MAX_SCALE:g}")
    return value


def _check_model(value: str) -> str:
    if not value.strip():
        raise ValueError("adapters: model is required")
    return value


class AdapterBody(Wire):
    """A LoRA adapter for one answer: that of the stored `model`, which has the same weights. `scale` 1 is as made."""

    model: Annotated[str, AfterValidator(_check_model)] = Field(default="", validate_default=True)
    scale: Annotated[float, AfterValidator(_check_scale)] = 1.0
