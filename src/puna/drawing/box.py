"""Where the marks of a drawing are; what its axes say is outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Write = Callable[[float], str]
"""How a value is told at a tick."""


@dataclass(frozen=True, slots=True)
class Box:
    """Sides in pixels from the drawing's top left corner."""

    left: float
    top: float
    right: float
    bottom: float
