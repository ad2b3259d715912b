"""OpenAI's `reasoning.effort` as this house's `think` (contract ollama-http §6.2). Pure."""

from __future__ import annotations

from puna.errors import FieldRefused

_THINK: dict[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "ultra": "max",
    "max": "max",
}


def think_of(effort: str, param: str) -> bool | str | None:
    """None where nothing is asked for. Raises `FieldRefused` for another word."""
    if not effort:
        return None
    if effort not in _THINK:
        choices = '"minimal", "low", "medium", "high", "xhigh", "ultra", "max", or "none"'
        raise FieldRefused(f'invalid reasoning value: "{effort}" (must be {choices})', param)
    return _THINK[effort]
