"""How a table writes what a server says (contract meter §8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from puna.meter.plan import ListedModel
from puna.meter.sizes import format_size, is_guessed

NOT_AVAILABLE = "n/a"
_CONTEXT = ".context_length"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model without measuring it, as text."""

    size: str
    context: str  # tokens that it was trained for, "0" = unknown
    quant: str
    capabilities: str
    guessed: bool  # the size comes from the name


def facts(model: ListedModel) -> Facts:
    parameters, quant = model.details.get("parameter_size"), model.details.get("quantization_level")
    return Facts(
        size=format_size(parameters, model.name),
        context=str(extract_context_length(model.model_info)),
        quant=quant if isinstance(quant, str) else "",
        capabilities=format_capabilities(model.capabilities or ()),
        guessed=is_guessed(parameters, model.name),
    )


def extract_context_length(model_info: Mapping[str, Any]) -> int:
    """Of the first key that ends in `.context_length`; 0 without one."""
    found = next((value for key, value in model_info.items() if key.endswith(_CONTEXT)), 0)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def format_capabilities(capabilities: Iterable[str]) -> str:
    return ", ".join(sorted(capabilities))


def format_float_or_na(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else f"{value:.2f}"


def plain(text: str) -> str:
    """`text` without what moves a terminal's cursor, sets its colours or turns its writing direction (C6)."""
    return "".join(character for character in text if character.isprintable())
