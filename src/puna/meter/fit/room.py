"""What fits into which memory, with which context. Pure. Bytes and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from puna.engine.policy import BUFFERS, TIERS
from puna.engine.types import Memory
from puna.meter.fit.anatomy import Anatomy
from puna.units import format_bytes

Place = Literal["memory", "GPU", "GPU and memory"]

_STEP = 256  # a context is told as a multiple of it
_SMALLEST = 1024  # tokens; a model that has room for fewer is of no use
_USUAL = TIERS[-1]  # tokens, where a model does not say what it was trained for


@dataclass(frozen=True, slots=True)
class Fit:
    """`context` is the largest that fits, up to the trained one or the one that was asked for; 0 = it does not fit.

    `place` is where everything goes: beside a GPU that is too small, the rest of the weights goes to main memory.
    """

    wanted_context: int
    context: int
    needed: int  # with `context`; where it does not fit, with the smallest context that would do
    free: int  # in `place`
    place: Place

    @property
    def fits(self) -> bool:
        return self.context > 0

    @property
    def verdict(self) -> str:
        if not self.fits:
            return f"does not fit: needs {format_bytes(self.needed)}, {format_bytes(self.free)} are free"
        return "fits" if self.context >= self.wanted_context else f"fits with context up to {self.context}"


def needed(anatomy: Anatomy, context: int) -> int:
    """Weights, the cache of one conversation of `context` tokens, and the engine's buffers."""
    return anatomy.weights + anatomy.kv_per_token * context + BUFFERS


def fit(anatomy: Anatomy, memory: Memory, context: int = 0) -> Fit:
    """`context`: the one that is wanted, 0 = the trained one. A GPU is used as soon as there is one."""
    trained = anatomy.trained_context or context or _USUAL
    wanted = min(context or trained, trained)
    least = min(wanted, _SMALLEST)
    graphics = sum(gpu.free for gpu in memory.gpus)
    places: list[tuple[Place, int]] = [("memory", memory.free)]
    if memory.gpus:
        places = [("GPU", graphics), ("GPU and memory", graphics + memory.free)]
    for place, free in places:
        if (most := _most_context(anatomy, free, wanted)) >= least:
            return Fit(wanted, most, needed(anatomy, most), free, place)
    place, free = places[-1]
    return Fit(wanted, 0, needed(anatomy, least), free, place)


def _most_context(anatomy: Anatomy, free: int, wanted: int) -> int:
    """-1 where not even the weights fit."""
    room = free - needed(anatomy, 0)
    if room < 0:
        return -1
    if not anatomy.kv_per_token or anatomy.kv_per_token * wanted <= room:
        return wanted
    tokens = room // anatomy.kv_per_token
    return tokens // _STEP * _STEP or tokens
